import { expect, test } from '@jest/globals';
import { RunPlaces } from '../../../../model-server/engine/run-place.ts';

test('runs go to the pool until enough of their size have shown to be short', () => {
  const places = new RunPlaces();
  const chosen = Array.from({ length: 10 }, () => {
    const place = places.choose(96);
    places.took(96, 0.05);
    return place;
  });
  expect(chosen).toEqual([...new Array(8).fill('Pool'), 'Here', 'Here']);
  expect(places.choose(100)).toBe('Here');
  expect(places.choose(100_000)).toBe('Pool');
});

test('long runs stay on the pool', () => {
  const places = new RunPlaces();
  for (let i = 0; i < 100; i++) places.took(96, 1);
  expect(places.choose(96)).toBe('Pool');
});

test('one that took long sends the next ones to the pool, until they are short again', () => {
  const places = new RunPlaces();
  for (let i = 0; i < 8; i++) places.took(96, 0.05);
  places.took(96, 40);
  let onPool = 0;
  for (; places.choose(96) === 'Pool'; onPool++) places.took(96, 0.05);
  expect(onPool).toBeGreaterThan(5);
  expect(onPool).toBeLessThan(50);
});

test('a first run that builds what later ones use is forgotten soon', () => {
  const places = new RunPlaces();
  places.took(0, 500);
  for (let i = 0; i < 40; i++) places.took(0, 0.05);
  expect(places.choose(0)).toBe('Here');
});
