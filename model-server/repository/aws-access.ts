/**
 * With which keys, where and in which region an S3 store is asked. The chain is AWS's own, as far as it needs no
 * library of AWS (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html): keys that are given,
 * a web identity (EKS: IAM roles for service accounts), a container's credentials (EKS Pod Identity), the instance's
 * role. Without any, requests are not signed, which public buckets allow.
 */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Settings, SourceCredentials } from './credentials.ts';
import { type RequestHeaders, requestText } from './http-request.ts';
import { LoadError } from './load-error.ts';
import type { TransferMeans } from './persistence.ts';
import { element } from './s3-xml.ts';
import type { Temporary, TemporaryKeys } from './temporary.ts';

export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface AwsAccess {
  /** Absent: requests are not signed. */
  keys?: AwsKeys;
  /** Where the keys come from, for messages. */
  origin: string;
  region: string;
  /** Without a slash at the end. */
  endpoint: string;
}

/** Keys that the surroundings lend, and who they are of. */
interface Lent {
  keys: AwsKeys;
  origin: string;
}

export interface AwsContext extends TransferMeans {
  credentials: SourceCredentials;
  awsKeys: AwsKeysCache;
}
export type AwsKeysCache = TemporaryKeys<Lent>;

/** Nobody answers there on machines that are no instance of EC2. */
const INSTANCE_SECONDS = 1;
const INSTANCE = 'http://169.254.169.254';

/** @throws LoadError when what is given is incomplete, or a service that should give keys does not. */
export async function awsAccess(context: AwsContext): Promise<AwsAccess> {
  const { credentials } = context;
  const settings = await credentials.read();
  const region = settings['AWS_REGION'] ?? settings['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const given = settings['AWS_ENDPOINT_URL_S3'] ?? settings['AWS_ENDPOINT_URL'];
  const endpoint = given === undefined ? awsEndpoint('s3', region) : checkedEndpoint(given);
  const keys = givenKeys(settings, credentials.name);
  if (keys) return { keys, origin: credentials.name, region, endpoint };
  const lent = await lentKeys(settings, region, given !== undefined, context);
  return {
    ...(lent ? { keys: lent.keys } : {}),
    origin: lent?.origin ?? credentials.name,
    region,
    endpoint,
  };
}

function awsEndpoint(service: string, region: string): string {
  return `https://${service}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

function checkedEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.search === '') {
    return url.href.replace(/\/+$/, '');
  }
  throw new LoadError(
    'SourceUnreachable',
    `AWS_ENDPOINT_URL is no address of a store: expected https://HOST or http://HOST:PORT without name, password and query`,
    'later',
  );
}

function givenKeys(settings: Settings, place: string): AwsKeys | undefined {
  const accessKeyId = settings['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = settings['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = settings['AWS_SESSION_TOKEN'];
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const [there, missing] =
      accessKeyId === undefined
        ? ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID']
        : ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
    throw new LoadError('AccessDenied', `${place} has ${there} and no ${missing}: give both`);
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** An instance's role is of use for AWS alone, so other stores are asked without. */
async function lentKeys(
  settings: Settings,
  region: string,
  otherStore: boolean,
  context: AwsContext,
): Promise<Lent | undefined> {
  const { awsKeys } = context;
  const role = settings['AWS_ROLE_ARN'];
  const tokenFile = settings['AWS_WEB_IDENTITY_TOKEN_FILE'];
  if (role !== undefined && tokenFile !== undefined) {
    return awsKeys.get(role, () => webIdentity(role, tokenFile, settings, region, context));
  }
  if (otherStore) return undefined;
  const container = settings['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (container !== undefined)
    return awsKeys.get(container, () => containerKeys(container, settings, context));
  if (settings['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') return undefined;
  return awsKeys.getIfAny(INSTANCE, () => instanceKeys(context), context.signal);
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html, which needs no signature. */
async function webIdentity(
  role: string,
  tokenFile: string,
  settings: Settings,
  region: string,
  means: TransferMeans,
): Promise<Temporary<Lent>> {
  const origin = `the role ${role} (AWS_ROLE_ARN)`;
  const url = settings['AWS_ENDPOINT_URL_STS'] ?? awsEndpoint('sts', region);
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: settings['AWS_ROLE_SESSION_NAME'] ?? 'aicity-model-server',
    WebIdentityToken: await tokenOf(tokenFile, 'AWS_WEB_IDENTITY_TOKEN_FILE'),
  });
  const explain = async (response: Response) => {
    const code = element(await response.text(), 'Code') ?? String(response.status);
    const sentence = `${origin} cannot be taken (${code}): let its trust policy name this pod's ServiceAccount`;
    return { error: new LoadError('AccessDenied', sentence), transient: response.status >= 500 };
  };
  const { text } = await requestText({ url, place: `STS at ${url}`, body, explain }, means);
  return temporary(origin, {
    AccessKeyId: element(text, 'AccessKeyId'),
    SecretAccessKey: element(text, 'SecretAccessKey'),
    Token: element(text, 'SessionToken'),
    Expiration: element(text, 'Expiration'),
  });
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */
async function containerKeys(
  url: string,
  settings: Settings,
  means: TransferMeans,
): Promise<Temporary<Lent>> {
  const file = settings['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const headers: RequestHeaders =
    file === undefined
      ? {}
      : { authorization: await tokenOf(file, 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE') };
  const { text } = await requestText({ url, headers, place: "the container's credentials" }, means);
  return temporary('EKS Pod Identity', JSON.parse(text));
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html, version 2. */
async function instanceKeys(means: TransferMeans): Promise<Temporary<Lent>> {
  const ask = async (path: string, init: RequestInit) => {
    const signal = AbortSignal.any([means.signal, AbortSignal.timeout(INSTANCE_SECONDS * 1000)]);
    const response = await fetch(`${INSTANCE}/latest/${path}`, { ...init, signal, redirect: 'error' });
    if (!response.ok) throw new Error(`the instance answers ${response.status}`);
    return response.text();
  };
  const token = await ask('api/token', {
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
  });
  const headers = { 'x-aws-ec2-metadata-token': token };
  const [role = ''] = (await ask('meta-data/iam/security-credentials/', { headers })).split('\n');
  const text = await ask(`meta-data/iam/security-credentials/${role}`, { headers });
  return temporary(`the instance's role ${role}`, JSON.parse(text));
}

const Answer = z.object({
  AccessKeyId: z.string(),
  SecretAccessKey: z.string(),
  Token: z.string(),
  Expiration: z.string(),
});

function temporary(origin: string, answer: unknown): Temporary<Lent> {
  const { success, data } = Answer.safeParse(answer);
  if (!success) throw new LoadError('AccessDenied', `${origin} gives no credentials that are understood`);
  const keys = {
    accessKeyId: data.AccessKeyId,
    secretAccessKey: data.SecretAccessKey,
    sessionToken: data.Token,
  };
  return { value: { keys, origin }, expiresAt: Date.parse(data.Expiration) };
}

async function tokenOf(file: string, name: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LoadError('AccessDenied', `the file that ${name} names cannot be read (${code})`);
  }
}
