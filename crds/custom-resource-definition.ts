/** The CustomResourceDefinition of ModelService, as data. */
import { GROUP, ModelServiceSpec, ModelServiceStatus, VERSION } from './model-service.ts';
import { type JsonSchema, structural } from './structural.ts';

const column = (
  name: string,
  type: string,
  jsonPath: string,
  extra: { priority?: number; description?: string } = {},
) => ({
  name,
  type,
  jsonPath,
  ...extra,
});

/** Columns of `kubectl get ms`: is it well, and if not, why. */
const PRINTER_COLUMNS = [
  column('Ready', 'string', '.status.readyOfWanted', {
    description: 'Replicas that serve the wanted model / wanted replicas',
  }),
  column('Version', 'string', '.status.model.version', { description: 'Model version that is served' }),
  column('Load%', 'integer', '.status.load.busyPercent', {
    description: 'Share of time in which the engines compute',
  }),
  column('Reason', 'string', ".status.conditions[?(@.type=='Ready')].reason"),
  column('Age', 'date', '.metadata.creationTimestamp'),
  column('Message', 'string', ".status.conditions[?(@.type=='Ready')].message", { priority: 1 }),
  column('URL', 'string', '.status.url', { priority: 1 }),
  column('Model', 'string', '.spec.model.uri', { priority: 1 }),
];

/** Longest name that leaves room for the suffixes of the objects made for a service (a Service name has 63). */
export const MAX_NAME_LENGTH = 50;

export function modelServiceDefinition(): JsonSchema {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `modelservices.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: 'ModelService',
        listKind: 'ModelServiceList',
        plural: 'modelservices',
        singular: 'modelservice',
        shortNames: ['ms'],
        categories: ['all', 'aicity'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: rootSchema() },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: PRINTER_COLUMNS,
        },
      ],
    },
  };
}

function rootSchema(): JsonSchema {
  return {
    type: 'object',
    description: 'A model that is served by a number of replicas.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structural(ModelServiceSpec),
      status: structural(ModelServiceStatus),
    },
    'x-kubernetes-validations': [
      {
        rule: `self.metadata.name.size() <= ${MAX_NAME_LENGTH} && !self.metadata.name.contains('.') && !self.metadata.name.matches('^[0-9]')`,
        message: `metadata.name must be at most ${MAX_NAME_LENGTH} lower-case letters, digits and dashes, starting with a letter: it names a Service`,
        messageExpression: `'metadata.name is "' + self.metadata.name + '": expected at most ${MAX_NAME_LENGTH} lower-case letters, digits and dashes, starting with a letter, since it names a Service'`,
      },
    ],
  };
}
