/** Scripted faults of the S3 test server. Invariant: a fault strikes the calls it names and no other, in the order of the script. */

export type S3Operation =
  | 'CreateBucket'
  | 'HeadBucket'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'ListObjectsV2'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads';

export type S3FaultAction =
  /** An error answer instead of the work; `echo` puts the request's headers into it, as S3 does for a wrong signature. */
  | { kind: 'answer'; status: number; code: string; headers?: Record<string, string>; echo?: boolean }
  /** What a proxy says when it cannot reach S3. */
  | { kind: 'html'; status: number }
  /** An error answer after the work was done. */
  | { kind: 'answer-after-work'; status: number; code: string }
  /** 200 with an error as its body; `work` done before or not. */
  | { kind: 'error-in-200'; code: string; work: boolean }
  /** The connection is cut after so many bytes of the request's body. */
  | { kind: 'reset'; afterBytes: number }
  /** The work is done, then the connection is cut. */
  | { kind: 'lose-answer' }
  /** No answer, ever; `work` done or not. */
  | { kind: 'hang'; work: boolean }
  /** Half of the answer's body, then the connection is cut. */
  | { kind: 'truncate' }
  /** Half of the answer's body, and no more. */
  | { kind: 'stall' }
  /** The answer's body in small pieces, a pause after each. */
  | { kind: 'slow'; pieceBytes: number; pauseMs: number }
  /** DeleteObjects: this key is not deleted, its error inside the answer. */
  | { kind: 'fail-key'; key: string; code: string }
  /** A byte of the answer's body is another one. */
  | { kind: 'corrupt' }
  /** Somebody else does something first, then the request is served as usual. */
  | { kind: 'before'; run: () => void };

export type S3Fault = {
  on: S3Operation;
  /** The first call (1, 2 …, counted from when the fault was added) it strikes; default 1. */
  nth?: number;
  /** How many calls it strikes; default 1. */
  times?: number;
  key?: RegExp;
  act: S3FaultAction;
};

export type FaultScript = {
  add(fault: S3Fault): void;
  next(on: S3Operation, key: string): S3FaultAction | null;
  left(): number;
};

export function createFaultScript(faults: S3Fault[]): FaultScript {
  const script = faults.map((fault) => ({ fault, seen: 0, struck: 0 }));
  const open = (each: (typeof script)[number]) => each.struck < (each.fault.times ?? 1);
  return {
    add: (fault) => void script.push({ fault, seen: 0, struck: 0 }),
    next(on, key) {
      for (const each of script) {
        if (each.fault.on !== on || !open(each) || (each.fault.key && !each.fault.key.test(key))) continue;
        each.seen++;
        if (each.seen < (each.fault.nth ?? 1)) continue;
        each.struck++;
        return each.fault.act;
      }
      return null;
    },
    /** Faults that have not struck as often as they should: a test that ends with some did not test what it says. */
    left: () => script.filter(open).length,
  };
}
