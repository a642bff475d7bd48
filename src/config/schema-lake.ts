/** The keys of `s3:`. */

import { z } from 'zod';
import { flag, keys, size, text } from './fields.ts';

export const s3 = keys({
  region: text().optional().describe('Default: as the AWS chain says (AWS_REGION, profile).'),
  endpoint: text().optional().describe('URL of an S3-compatible server; leave it out for AWS.'),
  force_path_style: flag()
    .optional()
    .describe('true: https://endpoint/bucket/key; most S3-compatible servers need it.'),
  sse: z
    .enum(['AES256', 'aws:kms', 'aws:kms:dsse'])
    .optional()
    .describe('Encryption at rest; default: as the bucket says.'),
  sse_kms_key_id: text().optional().describe('Its KMS key.'),
  expected_bucket_owner: text()
    .regex(/^\d{12}$/, { error: 'must be an AWS account of 12 digits, in quotes' })
    .optional()
    .describe('The AWS account that must own the bucket.'),
  part_size: size('5MB').optional().describe('Of a multipart upload; default: 8MB.'),
  checksums: z.enum(['crc32', 'none']).optional().describe('none: for servers that know no x-amz-checksum headers.'),
});
