/** The licences of the packages whose code is in an image. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './cache.ts';

/**
 * One text with name, version and licence of each package.
 *
 * @param folders of the packages, relative to the repository
 */
export function licenceTexts(folders: string[]): string {
  const own = readFileSync(join(repository, 'LICENSE'), 'utf8');
  return [own, ...folders.map(packageLicence)].join(`\n${'='.repeat(80)}\n\n`);
}

function packageLicence(folder: string): string {
  const path = join(repository, folder);
  const { name, version, license, author } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const title = `${name} ${version}, licence ${license}`;
  const file = readdirSync(path).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
  if (file) return `${title}\n\n${readFileSync(join(path, file), 'utf8').trim()}\n`;
  const holder = typeof author === 'object' ? author?.name : author;
  return `${title}${holder ? `\nCopyright: ${holder}` : ''}\nThe package ships no licence file.\n`;
}
