/** What is mounted into a model-server pod. */
import type { ModelService } from '../../crds/model-service.ts';
import { POD_PATHS, REPORT_AUDIENCE } from '../../crds/pod-contract.ts';
import { modelAddress } from './model-address.ts';
import { childName } from './names.ts';

/** Room for two versions of a large model side by side; a pod that uses more is evicted, not the node. */
const CACHE_SIZE_LIMIT = '20Gi';
const TEMPORARY_SIZE_LIMIT = '1Gi';
/**
 * The least that Kubernetes allows. The kubelet renews the token when four fifths of this are over, so that pods whose
 * ServiceAccount was deleted and made again report again within minutes, not within the hour.
 */
export const TOKEN_EXPIRATION_SECONDS = 600;

interface Mounted {
  readonly volume: Readonly<Record<string, unknown>>;
  readonly mount: { readonly name: string; readonly mountPath: string; readonly readOnly?: true };
}

/**
 * Volumes and mounts, in a fixed order. The model's address is not in them; only the claim of a pvc:// address and the
 * name of the Secret with credentials are.
 */
export function podVolumes(service: ModelService): {
  volumes: Mounted['volume'][];
  volumeMounts: Mounted['mount'][];
} {
  const mounted = [
    assignment(service),
    token(),
    cache(),
    temporary(),
    ...claims(service),
    ...credentials(service),
  ];
  return { volumes: mounted.map(({ volume }) => volume), volumeMounts: mounted.map(({ mount }) => mount) };
}

function assignment(service: ModelService): Mounted {
  return {
    volume: { name: 'assignment', configMap: { name: childName(service, 'ConfigMap') } },
    mount: { name: 'assignment', mountPath: POD_PATHS.configDirectory, readOnly: true },
  };
}

/** The pod's only credential: good for reports and for nothing else. */
function token(): Mounted {
  const serviceAccountToken = {
    audience: REPORT_AUDIENCE,
    expirationSeconds: TOKEN_EXPIRATION_SECONDS,
    path: POD_PATHS.tokenFile.slice(POD_PATHS.tokenDirectory.length + 1),
  };
  return {
    volume: { name: 'report-token', projected: { sources: [{ serviceAccountToken }] } },
    mount: { name: 'report-token', mountPath: POD_PATHS.tokenDirectory, readOnly: true },
  };
}

function cache(): Mounted {
  return {
    volume: { name: 'cache', emptyDir: { sizeLimit: CACHE_SIZE_LIMIT } },
    mount: { name: 'cache', mountPath: POD_PATHS.cacheDirectory },
  };
}

function temporary(): Mounted {
  return {
    volume: { name: 'tmp', emptyDir: { sizeLimit: TEMPORARY_SIZE_LIMIT } },
    mount: { name: 'tmp', mountPath: POD_PATHS.temporaryDirectory },
  };
}

function claims(service: ModelService): Mounted[] {
  const uri = modelAddress(service);
  if ('problem' in uri || uri.scheme !== 'pvc') return [];
  return [
    {
      volume: { name: 'model', persistentVolumeClaim: { claimName: uri.claim, readOnly: true } },
      mount: { name: 'model', mountPath: `${POD_PATHS.volumesDirectory}/${uri.claim}`, readOnly: true },
    },
  ];
}

/** Optional, so that a pod starts without the Secret and says itself what it lacks; it appears in the pod when made. */
function credentials({ spec }: ModelService): Mounted[] {
  const secretName = spec.model.credentialsSecretRef?.name;
  if (secretName === undefined) return [];
  return [
    {
      volume: { name: 'credentials', secret: { secretName, optional: true, defaultMode: 0o444 } },
      mount: { name: 'credentials', mountPath: POD_PATHS.credentialsDirectory, readOnly: true },
    },
  ];
}
