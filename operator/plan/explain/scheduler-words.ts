/** What helps against the reasons that the scheduler gives: it names what pods lack, and not the fields that ask for it. */
import type { ModelService } from '../../../crds/model-service.ts';

/** Remedies for a message of the scheduler, each a clause that names a field; none for words that are not known. */
export function remediesFor(words: string, service: ModelService): string[] {
  return REMEDIES.flatMap(({ about, remedy }) => (about.test(words) ? [remedy(service)] : []));
}

const REMEDIES: readonly { about: RegExp; remedy: (service: ModelService) => string }[] = [
  {
    about: /persistentvolumeclaim/i,
    remedy: ({ spec }) =>
      `the model is on a volume: create or bind the claim, or correct spec.model.uri, which is ${spec.model.uri}`,
  },
  {
    about: /volume node affinity conflict/i,
    remedy: () =>
      'the volume of spec.model.uri is tied to other nodes: use one that they can reach, or widen the node selectors',
  },
  {
    about: /node affinity\/selector/i,
    remedy: ({ spec }) => {
      const fields = [
        ['spec.podTemplate.nodeSelector', spec.podTemplate?.nodeSelector],
        ['spec.podTemplate.affinity', spec.podTemplate?.affinity],
        ['spec.gpu.nodeSelector', spec.gpu.count > 0 ? spec.gpu.nodeSelector : undefined],
      ] as const;
      const asked = fields.filter(([, field]) => field !== undefined).map(([name]) => name);
      return asked.length > 0
        ? `label a node as ${asked.join(' and ')} ${asked.length > 1 ? 'ask' : 'asks'}, or correct ${asked.length > 1 ? 'them' : 'it'}`
        : 'check the labels of the nodes and the volume of spec.model.uri';
    },
  },
  {
    about: /untolerated taint/i,
    remedy: () => 'for nodes with taints, add spec.podTemplate.tolerations',
  },
  {
    about: /Insufficient (cpu|memory|ephemeral-storage)/i,
    remedy: () => 'for nodes without room, lower spec.resources.requests or add nodes',
  },
];
