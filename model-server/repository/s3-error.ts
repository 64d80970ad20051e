/** What S3's error codes mean for whoever wants the model (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). */
import type { LoadErrorReason } from '../../crds/load-report.ts';
import type { AwsAccess } from './aws-access.ts';
import { bodyStart } from './http-request.ts';
import { LoadError } from './load-error.ts';
import { element } from './s3-xml.ts';
import { changedMeanwhile, type Failure, statusFailure } from './transfer-error.ts';

/** @param place of the object or listing that was asked for. */
export async function s3Failure(
  response: Response,
  bucket: string,
  place: string,
  access: AwsAccess,
): Promise<Failure> {
  const body = await bodyStart(response);
  const code = element(body, 'Code') ?? '';
  const region = response.headers.get('x-amz-bucket-region') ?? element(body, 'Region');
  const { origin, keys } = access;
  const said = (reason: LoadErrorReason, sentence: string): Failure => ({
    transient: false,
    error: new LoadError(reason, sentence),
  });
  switch (code) {
    case 'NoSuchBucket':
      return said(
        'SourceNotFound',
        `there is no bucket ${bucket} at ${access.endpoint} (${code}): correct spec.model.uri, or set AWS_ENDPOINT_URL to the store that has it`,
      );
    case 'NoSuchKey':
      return said('SourceNotFound', `there is no object ${place} (${code})`);
    case 'InvalidAccessKeyId':
      return said(
        'AccessDenied',
        `${access.endpoint} does not know the access key from ${origin} (${code}): correct AWS_ACCESS_KEY_ID, or AWS_ENDPOINT_URL if it is of another store`,
      );
    case 'SignatureDoesNotMatch':
      return said(
        'AccessDenied',
        `the secret key from ${origin} does not belong to its access key (${code}): correct AWS_SECRET_ACCESS_KEY`,
      );
    case 'ExpiredToken':
    case 'TokenRefreshRequired':
    case 'InvalidToken':
      return said(
        'AccessDenied',
        `the temporary credentials from ${origin} are ${code === 'InvalidToken' ? 'not valid' : 'no longer valid'} (${code}): renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together`,
      );
    case 'RequestTimeTooSkewed':
      return said(
        'AccessDenied',
        `the clocks of this node and of ${access.endpoint} differ by more than 15 minutes (${code}): set the node's clock`,
      );
    case 'PermanentRedirect':
    case 'TemporaryRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      if (!region || region === access.region) break;
      return said(
        'AccessDenied',
        `the bucket ${bucket} lies in the region ${region}, and ${access.region} was asked (${code}): set AWS_REGION to ${region}`,
      );
    case 'PreconditionFailed':
      return { transient: false, error: changedMeanwhile(place) };
    case 'InvalidObjectState':
      return said('ModelInvalid', `${place} is archived (${code}): restore it first`);
  }
  const helps =
    keys === undefined
      ? `it was asked without credentials, so name a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in spec.model.credentialsSecretRef, or let everybody read`
      : `the credentials from ${origin} may not read there: allow them s3:ListBucket and s3:GetObject`;
  const { transient, error } = statusFailure(response.status, place, helps);
  const message = code === '' ? error.message : error.message.replace(/ answers \d+/, `$& (${code})`);
  return { transient, error: new LoadError(error.reason, message) };
}
