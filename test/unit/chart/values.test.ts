import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { load } from 'js-yaml';
import { chartDefaults, chartReference, chartSchema } from '../../../crds/chart-files.ts';
import { chartValues } from '../../../crds/chart-values.ts';

const schema = chartValues('1.2.3');

describe('the values of the chart', () => {
  test('values.yaml says what the schema defaults to', () => {
    expect(load(chartDefaults('1.2.3'))).toEqual(schema.parse({}));
  });

  test('values.yaml is accepted by the schema', () => {
    expect(schema.safeParse(load(chartDefaults('1.2.3')))).toMatchObject({ success: true });
  });

  test('every value is explained in values.yaml and in the table', () => {
    const leaves = (value: object, path = ''): string[] =>
      Object.entries(value).flatMap(([name, field]) =>
        field?.constructor === Object && Object.keys(field).length > 0 && !/requests|limits/.test(name)
          ? leaves(field, `${path}${name}.`)
          : [`${path}${name}`],
      );
    const lines = chartDefaults('1.2.3').split('\n');
    for (const path of leaves(schema.parse({}))) {
      expect(chartReference('1.2.3')).toContain(`| \`${path}\` |`);
      const at = lines.findIndex((line) => line.trim().startsWith(`${path.split('.').at(-1)}:`));
      expect(lines[at - 1]).toMatch(/^ *# .*\.$/);
    }
  });

  test('the three images carry the version of the chart', () => {
    const { operator, modelServer, modelServerGpu } = schema.parse({}).images;
    for (const image of [operator, modelServer, modelServerGpu]) expect(image).toMatch(/:1\.2\.3$/);
  });

  test('a value that the operator ignores does not exist: unknown ones are refused at every level', () => {
    const open = [...chartSchema('1').matchAll(/"additionalProperties": (true|\{\})/g)];
    // tolerations[], affinity and global are passed on as they are.
    expect(open).toHaveLength(3);
  });

  test.each([
    'aicity/operator:0.1.0',
    'registry.example.org:5000/mirror/aicity/operator:v1.0_rc-1',
    `aicity/operator@sha256:${'a'.repeat(64)}`,
    `aicity/operator:0.1.0@sha256:${'0'.repeat(64)}`,
  ])('accepts the image %s', (operator) => {
    expect(schema.safeParse({ images: { operator } })).toMatchObject({ success: true });
  });

  test.each([
    ['no tag', 'aicity/operator'],
    ['a port where the tag would be', 'localhost:5000/operator'],
    ['upper case', 'Aicity/Operator:1'],
    ['a scheme', 'https://aicity/operator:1'],
    ['a short digest', 'aicity/operator@sha256:abc'],
    ['a space', 'aicity/operator: 1'],
    ['nothing', ''],
  ])('refuses an image with %s', (_, operator) => {
    expect(schema.safeParse({ images: { operator } })).toMatchObject({ success: false });
  });

  test('decides about any image reference at once', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9._:/@-]{0,200}$/), (operator) => {
        const { success } = schema.safeParse({ images: { operator } });
        if (success) expect(operator).toMatch(/[:@][^/]+$/);
      }),
    );
  });
});
