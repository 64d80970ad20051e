/**
 * What a request to an API server is about, without names of objects: `PATCH deployments`, `PATCH modelservices/status`,
 * `WATCH pods`, `GET /readyz`.
 */
export function requestName(method: string, target: string): string {
  const [path = '', query = ''] = target.split('?');
  const segments = path.split('/').filter(Boolean);
  const [root] = segments;
  if (root !== 'api' && root !== 'apis') return `${method} ${path}`;
  const withinGroup = segments.slice(root === 'api' ? 2 : 3);
  const isNamespaced = withinGroup[0] === 'namespaces' && withinGroup.length > 2;
  const [plural = 'discovery', , subresource] = isNamespaced ? withinGroup.slice(2) : withinGroup;
  const verb = new URLSearchParams(query).get('watch') === 'true' ? 'WATCH' : method;
  return `${verb} ${subresource ? `${plural}/${subresource}` : plural}`;
}
