#!/usr/bin/env node
/** `kubectl aicity`: what people do with a hub that takes more than one object. */
import { isKubeError } from '../kube/errors.ts';
import { systemClock as clock } from '../runtime/clock.ts';
import { type Command, parseCommand, UsageError } from './arguments.ts';
import { cities } from './cities.ts';
import { helpText } from './help.ts';
import { CommandError, connect, explained, type Hub } from './hub.ts';
import { join } from './join.ts';
import { leave } from './leave.ts';
import { plan } from './plan.ts';
import { status } from './status.ts';

interface Answer {
  readonly text: string;
  readonly status: number;
}

async function run(command: Command): Promise<Answer> {
  if (command.name === 'help') return { text: helpText(command.topic), status: 0 };
  const hub = connect(command);
  try {
    return await answer(command, hub);
  } finally {
    await hub.client.close();
  }
}

async function answer(command: Exclude<Command, { name: 'help' }>, hub: Hub): Promise<Answer> {
  switch (command.name) {
    case 'join':
      return { text: await join(command, hub, clock), status: 0 };
    case 'leave':
      return { text: await leave(command, hub, clock), status: 0 };
    case 'plan':
      return await plan(command.files, hub, clock.now());
    case 'cities':
      return { text: await cities(hub), status: 0 };
    case 'status':
      return { text: await status(command.service, hub), status: 0 };
  }
}

try {
  const { text, status: exitStatus } = await run(parseCommand(process.argv.slice(2)));
  console.log(text);
  process.exitCode = exitStatus;
} catch (error) {
  const isPlain = error instanceof UsageError || error instanceof CommandError || isKubeError(error);
  console.error(isPlain ? `aicity: ${explained(error)}` : error);
  if (error instanceof UsageError) console.error('See: kubectl aicity help');
  process.exitCode = 1;
}
