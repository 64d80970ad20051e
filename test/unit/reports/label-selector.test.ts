import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  LabelSelectorError,
  parseLabelSelector,
} from '../../../operator/reports/metrics-api/label-selector.ts';

const labels = { app: 'traffic', tier: '3', 'aicity.io/service': 'traffic', empty: '', in: 'x' };

describe('parseLabelSelector', () => {
  test.each<[string, boolean]>([
    ['', true],
    ['  ', true],
    ['app', true],
    ['missing', false],
    ['!missing', true],
    ['! app', false],
    ['app=traffic', true],
    ['app==traffic', true],
    [' app = traffic ', true],
    ['app=air', false],
    ['missing=x', false],
    ['empty=', true],
    ['empty==', true],
    ['app=', false],
    ['app!=air', true],
    ['app!=traffic', false],
    ['missing!=x', true],
    ['app in (air,traffic)', true],
    ['app in ( air , speech )', false],
    ['app in(traffic)', true],
    ['missing in (x)', false],
    ['empty in ()', true],
    ['empty in (,a)', true],
    ['app notin (air)', true],
    ['app notin (traffic)', false],
    ['missing notin (x)', true],
    ['in in (x)', true],
    ['in', true],
    ['app in (in,notin,traffic)', true],
    ['tier>2', true],
    ['tier > 3', false],
    ['tier<4', true],
    ['app>2', false],
    ['missing<9', false],
    ['aicity.io/service=traffic,app', true],
    ['aicity.io/service=traffic,!app', false],
    ['app=traffic,tier in (1,3),!missing,empty=', true],
    ['constructor', false],
    ['toString!=x', true],
  ])('%p matches: %p', (selector, expected) => {
    expect(parseLabelSelector(selector)(labels)).toBe(expected);
  });

  test.each<[string, RegExp]>([
    [',', /found ",", expected a label key/],
    ['app,', /found the end, expected a label key/],
    ['app,,tier', /found ",", expected a label key/],
    ['=traffic', /found "=", expected a label key/],
    ['!', /found the end, expected a label key/],
    ['!!app', /found "!"/],
    ['app traffic', /found "traffic", expected "="/],
    ['app=traffic tier', /found "tier", expected ","/],
    ['app=!x', /found "!", expected ","/],
    ['app in traffic', /found "traffic", expected "\("/],
    ['app in (traffic', /found the end, expected/],
    ['app in (a b)', /found "b", expected/],
    ['app in', /found the end, expected "\("/],
    ['app => x', /found ">"/],
    ['tier>x', /found "x", expected an integer/],
    ['tier>', /expected an integer/],
    ['-app=x', /found "-app", expected a label key/],
    ['app=-x', /found "-x", expected a label value/],
    ['a/b/c', /expected a label key/],
    [`app=${'x'.repeat(64)}`, /expected a label value/],
    ['app in (a)b', /found "b", expected ","/],
  ])('%p is refused', (selector, sentence) => {
    expect(() => parseLabelSelector(selector)).toThrow(sentence);
  });

  test('whatever the text, it is a selector or a sentence', () => {
    const piece = fc.constantFrom(
      'app',
      'a.b/c',
      'x',
      ' ',
      ',',
      '=',
      '==',
      '!=',
      '!',
      '(',
      ')',
      'in',
      'notin',
      '<',
      '>',
      '7',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          expect(typeof parseLabelSelector(pieces.join(''))(labels)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(LabelSelectorError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('in and notin are opposites, and a list is the union of its equalities', () => {
    const value = fc.stringMatching(/^[a-z]{0,3}$/);
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.option(value, { nil: undefined }), (values, held) => {
        const own = held === undefined ? {} : { k: held };
        const isIn = parseLabelSelector(`k in (${values.join(',')})`)(own);
        expect(parseLabelSelector(`k notin (${values.join(',')})`)(own)).toBe(!isIn);
        expect(values.some((one) => parseLabelSelector(`k=${one}`)(own))).toBe(isIn);
      }),
    );
  });
});
