import { describe, expect, test } from '@jest/globals';
import { parseCommand, UsageError } from '../../../operator/cli/arguments.ts';
import { helpText } from '../../../operator/cli/help.ts';

const parse = (line: string) => parseCommand(line.split(' ').filter(Boolean));

describe('the command line', () => {
  test('join, with everything', () => {
    expect(
      parse(
        'join porto --context hub -l country=pt --label example.org/tier=edge --address https://porto.example.org --address-range 203.0.113.0/24 --address-range 2001:db8:17::/48 --server https://hub.example.org:6443 -o city.yaml --format secret --rotate --timeout 5',
      ),
    ).toEqual({
      name: 'join',
      city: 'porto',
      context: 'hub',
      labels: { country: 'pt', 'example.org/tier': 'edge' },
      address: 'https://porto.example.org',
      addressRanges: ['203.0.113.0/24', '2001:db8:17::/48'],
      server: 'https://hub.example.org:6443',
      output: 'city.yaml',
      format: 'secret',
      rotate: true,
      timeoutSeconds: 5,
    });
  });

  test('defaults', () => {
    expect(parse('join porto')).toEqual({
      name: 'join',
      city: 'porto',
      labels: {},
      addressRanges: [],
      format: 'values',
      rotate: false,
      timeoutSeconds: 60,
    });
    expect(parse('leave porto')).toEqual({ name: 'leave', city: 'porto', now: false, timeoutSeconds: 60 });
    expect(parse('cities')).toEqual({ name: 'cities' });
  });

  test('plan takes several files; status a service in a namespace', () => {
    expect(parse('plan -f a.yaml -f -')).toEqual({ name: 'plan', files: ['a.yaml', '-'] });
    expect(parse('status traffic -n city')).toEqual({
      name: 'status',
      service: 'traffic',
      namespace: 'city',
    });
  });

  test.each(['', 'help', '--help', '-h'])('"%s" is answered with all commands', (line) => {
    const command = parse(line);
    expect(command).toEqual({ name: 'help' });
    expect(helpText()).toContain('join CITY');
  });

  test.each(['join', 'leave', 'plan', 'cities', 'status'])(
    'every command has a page of its own: %s',
    (name) => {
      expect(parse(`${name} --help`)).toEqual({ name: 'help', topic: name });
      expect(helpText(name).startsWith(name)).toBe(true);
      expect(helpText(name)).not.toBe(helpText());
    },
  );

  test('every option is on the page of its command', () => {
    const pages = ['join', 'leave', 'plan'].map(helpText).join('\n');
    for (const option of [
      'label',
      'address',
      'server',
      'output',
      'format',
      'rotate',
      'timeout',
      'now',
      'filename',
    ]) {
      expect(pages).toContain(`--${option}`);
    }
  });

  test.each([
    ['deploy', 'there is no command "deploy"; the commands are join, leave, plan, cities, status'],
    ['toString', 'there is no command "toString"'],
    ['join', 'join needs the name of a city'],
    ['join Porto', '"Porto" cannot be the name of a city: expected at most 50'],
    [`join ${'a'.repeat(51)}`, 'cannot be the name of a city'],
    ['join a.b', 'cannot be the name of a city'],
    ['join porto faro', 'join does not know what to do with "faro"'],
    ['join porto --label country', '--label is "country"; expected key=value'],
    ['join porto --address porto', '--address is "porto"; expected a URL'],
    ['join porto --server http://hub', '--server is "http://hub"; expected the URL'],
    ['join porto --server https://hub/api', 'without a path'],
    ['join porto --format json', '--format is "json"; expected values or secret'],
    ['join porto --timeout soon', '--timeout is "soon"; expected whole seconds'],
    ['join porto --colour', "join: Unknown option '--colour'"],
    ['leave porto --now=yes', "leave: Option '--now' does not take an argument"],
    ['plan', 'plan needs a file'],
    ['plan service.yaml', 'plan does not know what to do with "service.yaml"'],
    ['status', 'status needs the name of a service'],
  ])('refuses %s', (line, sentence) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(sentence);
  });
});
