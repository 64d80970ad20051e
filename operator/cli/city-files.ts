/** What a city needs to reach its hub, as a file: values for Helm, or a Secret with a kubeconfig. */
import { dump } from 'js-yaml';
import { cityNamespace } from '../../crds/region.ts';

export interface HubAccess {
  readonly city: string;
  /** URL of the hub's API server as the city reaches it. */
  readonly server: string;
  /** PEM in base64; absent where the authority is one that everybody trusts. */
  readonly caData?: string;
  readonly token: string;
  readonly address?: string;
}

/** Where the chart looks when `city.hub.kubeconfigSecret` names it. */
export const HUB_SECRET_NAME = 'aicity-hub';

/** By its first line a file is known to be one of ours, and may be written anew. */
export const FILE_MARK = '# Access of a city to its hub; keep it secret.';

/** For `helm --values`. */
export function valuesFile({ city, address, server, caData, token }: HubAccess): string {
  const values = {
    city: { name: city, ...(address && { address }), hub: { server, ...(caData && { caData }), token } },
  };
  return `${FILE_MARK}\n${dump(values, { lineWidth: -1 })}`;
}

/** For `kubectl apply` in the operator's namespace of the city. */
export function secretFile(access: HubAccess, namespace: string): string {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: HUB_SECRET_NAME, namespace },
    stringData: { kubeconfig: kubeconfigOf(access) },
  };
  return `${FILE_MARK}\n${dump(secret, { lineWidth: -1 })}`;
}

function kubeconfigOf({ city, server, caData, token }: HubAccess): string {
  return dump(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'hub',
      contexts: [{ name: 'hub', context: { cluster: 'hub', user: 'city', namespace: cityNamespace(city) } }],
      clusters: [
        { name: 'hub', cluster: { server, ...(caData && { 'certificate-authority-data': caData }) } },
      ],
      users: [{ name: 'city', user: { token } }],
    },
    { lineWidth: -1 },
  );
}
