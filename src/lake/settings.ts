/** What a lake is opened with. Invariant: credentials are no part of it; they come from the AWS default chain. */

/** The `s3:` part of tidemark.yaml. */
export type S3Settings = {
  region?: string;
  /** Of an S3-compatible server; unset for AWS. */
  endpoint?: string;
  force_path_style?: boolean;
  /** `AES256`, `aws:kms`, `aws:kms:dsse`. */
  sse?: string;
  sse_kms_key_id?: string;
  expected_bucket_owner?: string;
  /** Bytes of an upload's first parts; default 8 MiB. AWS takes no part under 5 MiB but the last. */
  part_size?: number;
  /** `none` for servers that know no x-amz-checksum headers; default `crc32`. */
  checksums?: 'crc32' | 'none';
};

export type LakeConfig = {
  url: string;
  /** What a relative `file:` URL is relative to: the configuration file's folder. */
  baseDir: string;
  s3?: S3Settings;
};

/** How long one operation goes on trying. */
export type RetryLimits = {
  attempts: number;
  /** No further attempt starts after this. */
  totalMs: number;
  baseMs: number;
  capMs: number;
  /** Of one attempt without a body to speak of; each 256 KiB of body adds a second. */
  attemptMs: number;
};

/** Chance and time as arguments, so that tests decide them. */
export type RetryTools = {
  random(): number;
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
};

export type LakeOptions = { retry?: Partial<RetryLimits>; tools?: Partial<RetryTools> };
