/** How Kubernetes objects are called: `metadata.name` of most kinds, as a regular expression of CEL and of JavaScript. */
export const OBJECT_NAME = '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$';
