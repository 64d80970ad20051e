import type { City } from './city.ts';
import { pipe } from './command.ts';
import { docker } from './docker.ts';

/** Label in the city's image store that holds the engine's identity of what was imported. */
const identityLabel = 'io.aicity.test.image-id';

/** Copies images from the engine into the city, all in one stream, so that shared layers travel once. */
export async function importImages(city: City, images: string[]): Promise<void> {
  const present = await city.exec(['ctr', '-n', 'k8s.io', 'images', 'list']);
  const missing = new Map<string, string>();
  for (const image of images) {
    const identity = await docker(['image', 'inspect', '--format', '{{.Id}}', image]);
    const isPresent = present
      .split('\n')
      .some(
        (line) => line.startsWith(`${canonical(image)} `) && line.includes(`${identityLabel}=${identity}`),
      );
    if (!isPresent) missing.set(image, identity);
  }
  if (missing.size === 0) return;
  await pipe(
    ['docker', 'save', ...missing.keys()],
    ['docker', 'exec', '--interactive', city.container, 'ctr', '-n', 'k8s.io', 'images', 'import', '-'],
  );
  for (const [image, identity] of missing) {
    await city.exec([
      'ctr',
      '-n',
      'k8s.io',
      'images',
      'label',
      canonical(image),
      `${identityLabel}=${identity}`,
    ]);
  }
}

/** An image's full name, as Kubernetes' container runtimes write it. */
function canonical(image: string): string {
  const [host = '', ...rest] = image.split('/');
  const tagged = /:[^/]+$/.test(image) ? image : `${image}:latest`;
  if (rest.length === 0) return `docker.io/library/${tagged}`;
  return host === 'localhost' || /[.:]/.test(host) ? tagged : `docker.io/${tagged}`;
}
