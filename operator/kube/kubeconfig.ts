/**
 * Where an API server is and who we are to it. Each function reads its source anew when called, so that a
 * connection can read again after its credentials were refused.
 */
import { KubeConfig } from '@kubernetes/client-node';

export type LoadKubeConfig = () => KubeConfig;

/** As kubectl finds it: `KUBECONFIG`, then `~/.kube/config`, then the pod's service account. */
export const byDefault: LoadKubeConfig = () => {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
};

/** A kubeconfig file; `context` instead of its current context. */
export function fromFile(path: string, context?: string): LoadKubeConfig {
  return () => {
    const config = new KubeConfig();
    config.loadFromFile(path);
    return useContext(config, context, `kubeconfig ${path}`);
  };
}

/** The text of a kubeconfig, for example from a Secret. */
export function fromText(yaml: string, context?: string): LoadKubeConfig {
  return () => {
    const config = new KubeConfig();
    config.loadFromString(yaml);
    return useContext(config, context, 'kubeconfig');
  };
}

function useContext(config: KubeConfig, context: string | undefined, what: string): KubeConfig {
  if (context !== undefined) config.setCurrentContext(context);
  if (!config.getCurrentCluster()) {
    const known = config.getContexts().map(({ name }) => name);
    throw new Error(
      `${what}: context "${config.getCurrentContext()}" names no cluster; its contexts are: ${known.join(', ') || 'none'}`,
    );
  }
  return config;
}
