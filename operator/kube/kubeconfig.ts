/**
 * Where an API server is and who we are to it. Each function reads its source anew when called, so that a
 * connection can read again after its credentials were refused.
 */
import { readFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';

export type LoadKubeConfig = (() => KubeConfig) & { readonly mayChange?: boolean };

/** To be asked again whenever credentials are needed, not only after they were refused. */
export type ChangingKubeConfig = LoadKubeConfig & { readonly mayChange: true };

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

/**
 * A kubeconfig file that others replace while we run, such as a mounted Secret. The same text gives the same credentials,
 * so that what they have fetched is kept.
 */
export function fromChangingFile(path: string): ChangingKubeConfig {
  let known: { readonly text: string; readonly config: KubeConfig } | undefined;
  return Object.assign(
    () => {
      const text = readFileSync(path, 'utf8');
      if (known?.text !== text) known = { text, config: fromText(text)() };
      return known.config;
    },
    { mayChange: true as const },
  );
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
