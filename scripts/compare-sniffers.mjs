#!/usr/bin/env node
// What other sniffers of CSV say of the cases in test/fixtures/dialects: Python's csv.Sniffer and DuckDB's sniff_csv. Writes others.json
// beside them, which the tests compare this package with. It takes python3, and the package @duckdb/node-api, which is no dependency:
// npm install --no-save @duckdb/node-api
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance, version } from '@duckdb/node-api';

const folder = fileURLToPath(new URL('../test/fixtures/dialects', import.meta.url));
const names = Object.keys(JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')));

const python = `
import csv, json, os, platform, sys
def said(of):
    try: return of()
    except csv.Error: return None
answers = {}
for name in json.loads(sys.argv[2]):
    text = open(os.path.join(sys.argv[1], name), encoding='utf-8', newline='').read()
    answers[name] = {
        'delimiter': said(lambda: csv.Sniffer().sniff(text).delimiter),
        'header': said(lambda: csv.Sniffer().has_header(text)),
    }
print(json.dumps({'version': platform.python_version(), 'answers': answers}))
`;

async function duckdb() {
  const connection = await (await DuckDBInstance.create()).connect();
  const answers = {};
  for (const name of names) {
    const sql = `SELECT Delimiter, HasHeader FROM sniff_csv('${join(folder, name)}')`;
    const [row = []] = await connection.runAndReadAll(sql).then(
      (reader) => reader.getRows(),
      () => [],
    );
    answers[name] = { delimiter: row[0] ?? null, header: row[1] ?? null };
  }
  return { version: version(), answers };
}

const sniffer = JSON.parse(
  execFileSync('python3', ['-c', python, folder, JSON.stringify(names)], { encoding: 'utf8' }),
);
const others = { 'csv.Sniffer': sniffer, sniff_csv: await duckdb() };
writeFileSync(join(folder, 'others.json'), `${JSON.stringify(others, undefined, 1)}\n`);
