/** Objects of an installation that permissions name. */
/** One operator per cluster, so its objects have fixed names. */
export const OPERATOR_NAME = 'aicity-operator';
export const LEASE_NAME = OPERATOR_NAME;
export const TLS_SECRET_NAME = `${OPERATOR_NAME}-tls`;
export const ENDPOINT_SLICE_NAME = `${OPERATOR_NAME}-leader`;
/** It owns the APIServices, so that they go when the adapter is turned off or uninstalled. */
export const METRICS_ADAPTER_ROLE_NAME = `${OPERATOR_NAME}-metrics-adapter`;
export const API_SERVICE_NAMES = ['v1beta1.custom.metrics.k8s.io', 'v1beta2.custom.metrics.k8s.io'] as const;

/** What the operator may write in the namespaces of cities, and nowhere else. */
export const HUB_IN_CITY_ROLE_NAME = `${OPERATOR_NAME}-hub-in-city`;
