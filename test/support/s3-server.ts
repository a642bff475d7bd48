/** An S3 server for tests, with faults on demand. Invariant: it behaves as AWS unless a test asks for something else. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Bucket, createBucket, S3Refusal } from './s3-bucket.ts';
import { createFaultScript, type S3Fault, type S3FaultAction, type S3Operation } from './s3-faults.ts';
import { type S3Answer, type S3Behaviour, type S3Request, type S3World, serve } from './s3-handlers.ts';
import { element, errorDocument } from './s3-xml.ts';

type S3LogLine = {
  operation: S3Operation;
  key: string;
  status: number | 'cut' | 'hang';
  headers: Record<string, string>;
};

export type S3Server = AsyncDisposable & {
  readonly endpoint: string;
  /** The bucket that every server has. */
  readonly bucket: Bucket;
  readonly bucketName: string;
  readonly behaviour: S3Behaviour;
  createBucket(name: string): Bucket;
  /** Adds a fault to the script. */
  fault(fault: S3Fault): void;
  /** Faults that have not struck yet. */
  faultsLeft(): number;
  /** Every request, in the order of its end. */
  readonly log: S3LogLine[];
  count(operation: S3Operation): number;
  /** Connections that were opened so far. */
  connections(): number;
};

export type S3ServerOptions = { faults?: S3Fault[]; behaviour?: Partial<S3Behaviour> };

/** Starts a server on a free port of 127.0.0.1; signatures are not checked. */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const behaviour: S3Behaviour = {
    conditions: 'honoured',
    batchDelete: true,
    pageSize: 1000,
    owner: '111122223333',
    urlEncoding: true,
    partChecksums: true,
    ...options.behaviour,
  };
  const world: S3World = { buckets: new Map([['lake', createBucket()]]), behaviour };
  const script = createFaultScript(options.faults ?? []);
  const log: S3LogLine[] = [];
  let connections = 0;

  const server = createServer((message, response) => {
    handle(world, script.next, log, message, response).catch(() => message.destroy());
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: world.buckets.get('lake')!,
    bucketName: 'lake',
    behaviour,
    createBucket(name) {
      const bucket = createBucket();
      world.buckets.set(name, bucket);
      return bucket;
    },
    fault: script.add,
    faultsLeft: script.left,
    log,
    count: (operation) => log.filter((line) => line.operation === operation).length,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function handle(
  world: S3World,
  next: (on: S3Operation, key: string) => S3FaultAction | null,
  log: S3LogLine[],
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(message.url!, 'http://s3');
  const [, bucket = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
  const key = rest.join('/');
  const operation = operationOf(message.method!, url.searchParams, key);
  const fault = next(operation, key);
  const headers = message.headers as Record<string, string>;
  const note = (status: S3LogLine['status']) => log.push({ operation, key, status, headers });
  const cut = () => {
    note('cut');
    message.socket.destroy();
  };

  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of message) {
    chunks.push(chunk);
    received += chunk.length;
    if (fault?.kind === 'reset' && received >= fault.afterBytes) return cut();
  }
  if (fault?.kind === 'reset') return cut();
  const request: S3Request = { operation, bucket, key, query: url.searchParams, headers, body: Buffer.concat(chunks) };

  if (fault?.kind === 'before') fault.run();
  if (fault?.kind === 'fail-key') request.failing = fault;
  const work =
    fault?.kind !== 'answer' &&
    fault?.kind !== 'html' &&
    !((fault?.kind === 'error-in-200' || fault?.kind === 'hang') && !fault.work);
  let answer: S3Answer = work ? attempt(world, request) : { status: 200 };
  if (fault?.kind === 'hang') {
    note('hang');
    return;
  }
  if (fault?.kind === 'lose-answer') return cut();
  if (fault?.kind === 'answer' || fault?.kind === 'answer-after-work') answer = refusal(fault.status, fault.code);
  if (fault?.kind === 'answer') answer.headers = { ...answer.headers, ...fault.headers };
  if (fault?.kind === 'answer' && fault.echo) answer.body = withRequest(String(answer.body), headers);
  if (fault?.kind === 'html') answer = { status: fault.status, body: '<html><body><h1>Bad Gateway</h1><br></body>' };
  if (fault?.kind === 'error-in-200') answer = { status: 200, body: errorDocument(fault.code, 'a scripted fault') };
  note(answer.status);
  await send(response, answer, message.method === 'HEAD', fault);
}

function withRequest(body: string, headers: Record<string, string>): string {
  const echoed =
    element('CanonicalRequest', JSON.stringify(headers)) + element('StringToSign', headers.authorization ?? '');
  return body.replace('</Error>', `${echoed}</Error>`);
}

function attempt(world: S3World, request: S3Request): S3Answer {
  try {
    return serve(world, request);
  } catch (error) {
    if (error instanceof S3Refusal) return refusal(error.status, error.code);
    throw error;
  }
}

function refusal(status: number, code: string): S3Answer {
  return { status, headers: { 'content-type': 'application/xml' }, body: errorDocument(code, `refused: ${code}`) };
}

async function send(
  response: ServerResponse,
  answer: S3Answer,
  head: boolean,
  fault: S3FaultAction | null,
): Promise<void> {
  let body = Buffer.from(answer.body ?? '');
  const length = { 'content-length': String(body.length), ...answer.headers };
  response.writeHead(answer.status, { 'x-amz-request-id': 'TESTREQUEST', ...length });
  if (head) return void response.end();
  if (fault?.kind === 'corrupt') {
    body = Buffer.from(body);
    body[body.length >> 1] ^= 1;
  }
  if (fault?.kind === 'truncate' || fault?.kind === 'stall') {
    response.write(body.subarray(0, body.length >> 1));
    if (fault.kind === 'stall') return;
    await delay(20);
    return void response.destroy();
  }
  if (fault?.kind === 'slow') {
    for (let at = 0; at < body.length; at += fault.pieceBytes) {
      response.write(body.subarray(at, at + fault.pieceBytes));
      await delay(fault.pauseMs);
    }
    return void response.end();
  }
  response.end(body);
}

function operationOf(method: string, query: URLSearchParams, key: string): S3Operation {
  if (key === '') {
    if (method === 'PUT') return 'CreateBucket';
    if (method === 'HEAD') return 'HeadBucket';
    if (method === 'POST') return 'DeleteObjects';
    return query.has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2';
  }
  if (method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload';
  if (method === 'PUT') return query.has('partNumber') ? 'UploadPart' : 'PutObject';
  if (method === 'DELETE') return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
  return method === 'HEAD' ? 'HeadObject' : 'GetObject';
}
