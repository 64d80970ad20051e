/** Ports by which pods and their callers meet. */

/** Name of the model server's port, `HTTP_PORT` of the pod contract. */
export const HTTP_PORT_NAME = 'http';
/** Name of the model server's port for gRPC, `GRPC_PORT` of the pod contract. */
export const GRPC_PORT_NAME = 'grpc';
/** Port of the Service for HTTP; gRPC has the pods' own. */
export const SERVICE_PORT = 80;
/** Port of the operator's pods for reports, unless the installation chooses another. */
export const OPERATOR_TLS_PORT = 9443;
export const DNS_PORT = 53;
