#!/usr/bin/env node
// node-gyp as prebuildify is to call it: what is built already is built on, in place of anew.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const [command, ...options] = process.argv.slice(2);
const commands = command === 'rebuild' ? ['configure', 'build'] : [command];
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const { status } = spawnSync(process.execPath, [nodeGyp, ...commands, ...options], { stdio: 'inherit' });
process.exitCode = status ?? 1;
