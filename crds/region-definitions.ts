/** The CustomResourceDefinitions that only a hub has: CityCluster and CityReport. */
import { CityClusterSpec, CityClusterStatus } from './city-cluster.ts';
import { CityReportBody } from './city-report.ts';
import { GROUP, VERSION } from './model-service.ts';
import { MAX_CITY_NAME_LENGTH } from './region.ts';
import { type JsonSchema, structural } from './structural.ts';

/** Columns of `kubectl get cities`: is it there, has it room, and if not, why. */
const CITY_COLUMNS = [
  { name: 'Ready', type: 'string', jsonPath: ".status.conditions[?(@.type=='Ready')].status" },
  { name: 'Reason', type: 'string', jsonPath: ".status.conditions[?(@.type=='Ready')].reason" },
  { name: 'Services', type: 'integer', jsonPath: '.status.services' },
  { name: 'Replicas', type: 'integer', jsonPath: '.status.replicas' },
  { name: 'Free', type: 'string', jsonPath: '.status.free', description: 'GPUs that are free / there' },
  {
    name: 'Silent',
    type: 'date',
    jsonPath: '.status.lastHeardTime',
    description: 'While silent: since when',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  {
    name: 'Message',
    type: 'string',
    jsonPath: ".status.conditions[?(@.type=='Ready')].message",
    priority: 1,
  },
];

const META = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } };

export function cityClusterDefinition(): JsonSchema {
  return definition({
    scope: 'Cluster',
    names: names('CityCluster', 'cityclusters', ['city', 'cities'], ['aicity']),
    version: {
      schema: {
        openAPIV3Schema: {
          type: 'object',
          description: 'A city on a hub: a cluster that dials in and takes parts of placed ModelServices.',
          properties: { ...META, spec: structural(CityClusterSpec), status: structural(CityClusterStatus) },
          'x-kubernetes-validations': [
            {
              rule: `self.metadata.name.size() <= ${MAX_CITY_NAME_LENGTH} && !self.metadata.name.contains('.')`,
              message: `metadata.name must be at most ${MAX_CITY_NAME_LENGTH} lower-case letters, digits and dashes: it names a namespace`,
              messageExpression: `'metadata.name is "' + self.metadata.name + '": expected at most ${MAX_CITY_NAME_LENGTH} lower-case letters, digits and dashes, since it names a namespace'`,
            },
          ],
        },
      },
      subresources: { status: {} },
      additionalPrinterColumns: CITY_COLUMNS,
    },
  });
}

export function cityReportDefinition(): JsonSchema {
  return definition({
    scope: 'Namespaced',
    names: names('CityReport', 'cityreports', [], []),
    version: {
      schema: {
        openAPIV3Schema: {
          type: 'object',
          description: 'What a city reports of itself; written by its agent.',
          properties: { ...META, report: structural(CityReportBody) },
        },
      },
      additionalPrinterColumns: [
        { name: 'Session', type: 'string', jsonPath: '.report.session' },
        { name: 'Sequence', type: 'integer', jsonPath: '.report.sequence' },
        { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
    },
  });
}

function names(kind: string, plural: string, shortNames: string[], categories: string[]): JsonSchema {
  return {
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  };
}

function definition({
  scope,
  names,
  version,
}: {
  scope: string;
  names: JsonSchema;
  version: JsonSchema;
}): JsonSchema {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope,
      names,
      versions: [{ name: VERSION, served: true, storage: true, ...version }],
    },
  };
}
