/** What of dladmm works on this machine, what does not, and what helps: for a look of one's own, and for a bug report. */
import { release } from 'node:os';
import { arch, platform } from 'node:process';
import { messageOf } from '../../core/errors.js';
import { availableMemory, type Info, info } from '../../core/info.js';
import { slowKernels } from '../../core/kernels.js';
import { packageFolder, packageRequire, packageVersion } from '../../core/package.js';
import { libc } from '../../core/platform.js';
import { listDatasets } from '../../datasets/datasets.js';
import { memory } from '../progress.js';
import type { Terminal } from '../terminal.js';

export interface DoctorFlags {
  readonly json?: boolean;
}

/** Something that was looked at: how it is, and what helps where it is not well. Where `wrong`, nothing can be trained. */
interface Finding {
  readonly what: string;
  readonly is: string;
  readonly help?: string;
  readonly wrong?: true;
}

/** What changes which code runs, or where data are looked for. */
const VARIABLES = /^(?:DLADMM_|OPENBLAS_|BLIS_|MKL_|OMP_NUM_THREADS$|NODE_OPTIONS$|UV_THREADPOOL_SIZE$)/;

function system(): string {
  const { report } = process;
  const { glibcVersionRuntime: version } = (report.getReport() as { header: { glibcVersionRuntime?: string } }).header;
  const clib = [libc(), ...(version === undefined ? [] : [version])].join(' ');
  return [`${platform} ${arch}`, ...(platform === 'linux' ? [clib] : []), `Node ${process.version}`].join(', ');
}

function processorsOf({ bound, quota, threads }: Info['processors']): string {
  const own = `${bound} that this process may run on`;
  const left = Number.isFinite(quota) ? `, of which a quota leaves ${quota}` : ', no quota';
  return `${own}${left}: trainings take ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

/** The addon says by its loading whether it is there, and whether its BLAS multiplies and factors as it should. */
function addonFindings(): readonly Finding[] {
  let found: Info;
  try {
    found = info();
  } catch (error) {
    const [first = '', ...others] = messageOf(error).split('\n');
    return [{ what: 'addon', is: first, ...(others.length > 0 && { help: others.join('\n') }), wrong: true }];
  }
  const { addon, blas, kernels, simd, processors } = found;
  const slow = slowKernels(kernels, simd, process.env.OPENBLAS_CORETYPE);
  const folder = addon.startsWith(packageFolder()) ? addon.slice(packageFolder().length + 1) : addon;
  return [
    { what: 'addon', is: `${folder}, ${folder.startsWith('build') ? 'built on this machine' : 'prebuilt'}` },
    { what: 'BLAS', is: `${blas}${kernels && `, kernels for ${kernels}`}`, ...(slow !== undefined && { help: slow }) },
    { what: 'self-test', is: 'passed: the BLAS multiplies and factors as plain loops do' },
    { what: 'own loops', is: simd },
    { what: 'processors', is: processorsOf(processors) },
    { what: 'memory', is: `${memory(availableMemory())} may still be taken` },
  ];
}

function optionalPackages(): readonly Finding[] {
  const ours = packageRequire();
  const { peerDependencies = {} } = ours('./package.json') as {
    peerDependencies?: Readonly<Record<string, string>>;
  };
  return Object.keys(peerDependencies).map((name) => {
    try {
      ours.resolve(name);
      return { what: name, is: 'installed' };
    } catch {
      return { what: name, is: 'not installed, and needed by few', help: `npm install ${name}` };
    }
  });
}

async function dataFinding(): Promise<Finding> {
  const sets = await listDatasets({});
  const here = sets.filter(({ folder, origin }) => origin === 'bundled' || folder !== undefined);
  return { what: 'data sets', is: `${here.length} of ${sets.length} are here (dladmm datasets)` };
}

const line = ({ what, is, help }: Finding): string =>
  [
    `${what.padEnd(16)}  ${is}`,
    ...(help === undefined ? [] : help.split('\n').map((text) => `${' '.repeat(18)}${text}`)),
  ]
    .map((text) => text.trimEnd())
    .join('\n');

/** `dladmm doctor`. The exit code is 1 where no training can run. */
export async function doctorCommand({ json }: DoctorFlags, terminal: Terminal): Promise<number> {
  const set = Object.entries(process.env).filter(([name]) => VARIABLES.test(name));
  const findings: readonly Finding[] = [
    { what: 'dladmm', is: packageVersion() },
    { what: 'system', is: `${system()}, kernel ${release()}` },
    ...addonFindings(),
    ...optionalPackages(),
    await dataFinding(),
    { what: 'variables', is: set.map(([name, value]) => `${name}=${value}`).join(' ') || 'none that matters here' },
  ];
  const wrong = findings.some((finding) => finding.wrong);
  const end = wrong ? 'No training can run before that is mended.' : 'All that a training needs is here.';
  await terminal.out(
    json ? `${JSON.stringify({ ready: !wrong, findings })}\n` : `${findings.map(line).join('\n')}\n\n${end}\n`,
  );
  return wrong ? 1 : 0;
}
