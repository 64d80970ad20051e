import { run } from './command.ts';

/** Runs the docker client and returns its output. */
export async function docker(args: string[], options: Parameters<typeof run>[2] = {}): Promise<string> {
  return await run('docker', args, options);
}

/** Whether the container engine that `DOCKER_HOST` or the default socket leads to answers. */
export async function engineAnswers(): Promise<boolean> {
  return docker(['version', '--format', '{{.Server.Version}}'], { timeoutSeconds: 20 }).then(
    () => true,
    () => false,
  );
}

/** The value of an image's label; undefined when there is no such image or label. */
export async function imageLabel(image: string, label: string): Promise<string | undefined> {
  const format = `{{index .Config.Labels "${label}"}}`;
  const value = await docker(['image', 'inspect', '--format', format, image]).catch(() => '');
  return value === '' || value === '<no value>' ? undefined : value;
}

/** Whether the engine holds this image. */
export async function hasImage(image: string): Promise<boolean> {
  return docker(['image', 'inspect', '--format', '{{.Id}}', image]).then(
    () => true,
    () => false,
  );
}

/** Go's name of the processor that the engine's containers run on. */
export async function engineArchitecture(): Promise<string> {
  return await docker(['version', '--format', '{{.Server.Arch}}']);
}

/**
 * `docker build` with whichever builder this client has: a client without the buildx plug-in still has the
 * older builder, which must be asked for.
 */
export async function dockerBuild(args: string[]): Promise<string> {
  const hasBuildx = await docker(['buildx', 'version']).then(
    () => true,
    () => false,
  );
  return await docker(['build', ...args], { environment: { DOCKER_BUILDKIT: hasBuildx ? '1' : '0' } });
}
