import { type Command, CommanderError } from 'commander';
import { DlAdmmError, messageOf } from '../core/errors.js';
import { ranksHere } from '../core/ranks.js';
import { endOnSignals, interruptionOf, type SignalSource } from './interruption.js';
import { plainHelp, solversFor } from './own-solver.js';
import { createProgram } from './program.js';
import { othersTell } from './rank.js';
import { openTerminal, type Streams, type Terminal } from './terminal.js';

/** Tells of an error in one line, and answers with the exit code. */
function tell(error: unknown, terminal: Terminal): number {
  // Commander has said its say already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const interruption = interruptionOf(terminal.signal);
  if (interruption && error instanceof DlAdmmError && error.code === 'ERR_DLADMM_ABORTED') {
    if (interruption.why !== 'closed pipe') terminal.err('dladmm: stopped before anything was done\n');
    return interruption.exitCode;
  }
  if (process.env.DLADMM_DEBUG) console.error(error);
  else if (error instanceof DlAdmmError) terminal.err(`dladmm: ${error.message}\n`);
  else terminal.err(`dladmm: unexpected error: ${messageOf(error)}\n`);
  return 1;
}

/** With `--help` behind it a command that there is none of would be taken for a wish for help; by itself it is told to be none. */
function unlessUnknown({ commands }: Command, args: readonly string[]): readonly string[] {
  const [first = ''] = args;
  const known = /^(?:help|-.*|)$/.test(first) || commands.some((each) => each.name() === first);
  return known ? args : [first];
}

/** Runs `dladmm` with these words behind its name, in the place of a process; its exit code. */
export async function command(words: readonly string[], host: Streams & SignalSource): Promise<number> {
  const controller = new AbortController();
  const terminal = openTerminal(host, controller);
  endOnSignals(host, controller, () => performance.now());
  let exitCode = 0;
  try {
    const { args, everything } = plainHelp(words);
    const solvers = await solversFor(args, everything);
    const program = createProgram(
      terminal,
      (code) => {
        exitCode = code;
      },
      solvers,
    );
    await program.parseAsync(unlessUnknown(program, args), { from: 'user' });
  } catch (error) {
    const others = othersTell(words, host.env);
    // Where it is this process alone that fails, the others do not know of it.
    if (others) await ranksHere()?.fail(error);
    exitCode = others ? 1 : tell(error, terminal);
  }
  // What was written last may still meet a closed pipe or a full disk.
  await terminal.out('');
  const interruption = interruptionOf(terminal.signal);
  return interruption?.why === 'failed output' ? interruption.exitCode : exitCode;
}
