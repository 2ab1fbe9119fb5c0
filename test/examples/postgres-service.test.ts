import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Postgres, startPostgres } from './postgres.js';

const postgres: Postgres | undefined = startPostgres();
const folder = mkdtempSync(join(tmpdir(), 'dladmm-service-'));
const ROWS = 3000;

beforeAll(async () => {
  if (postgres === undefined) return;
  const client = new pg.Client({ connectionString: postgres.connectionString });
  await client.connect();
  await client.query(`
    create table customers as
    select (array['basic', 'plus', 'business'])[1 + i % 3] as plan,
           nullif('country ' || (i % 7), 'country 6') as country,
           timestamptz '2024-01-01' + (i % 500) * interval '1 day' as signed_up_at,
           (9.99 + (i % 3) * 10)::numeric(8, 2) as monthly_fee,
           (i * 7919) % 5 as support_calls,
           i % 2 = 0 as autopay,
           ((i * 7919) % 5 > 2 or (i % 3 = 0 and i % 2 = 1)) as churned
    from generate_series(1, ${ROWS}) as i`);
  await client.end();
}, 120_000);

afterAll(() => {
  postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(postgres === undefined)(
  'a service over PostgreSQL (needs its server: apt-get install postgresql)',
  () => {
    const customer = {
      plan: 'plus',
      country: 'country 1',
      signed_up_at: null,
      monthly_fee: '19.99',
      support_calls: 4,
      autopay: true,
    };

    test('trains through a cursor, answers, and takes a new model while requests are under way', async () => {
      const { serve } = (await import('../../examples/postgres-service/server.mjs' as string)) as {
        serve(options: object): Promise<{ server: { address(): { port: number } }; close(): Promise<void> }>;
      };
      const app = await serve({
        connectionString: postgres?.connectionString,
        path: join(folder, 'churn.safetensors'),
        port: 0,
      });
      try {
        const url = `http://127.0.0.1:${app.server.address().port}`;
        const post = async (path: string, body: unknown = {}) => {
          const response = await fetch(url + path, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          });
          return { status: response.status, body: (await response.json()) as Record<string, unknown> };
        };
        expect((await post('/predict', customer)).status).toBe(503);

        const { status, body } = await post('/train');
        expect({ status, told: String(body.report).includes('churned') }).toEqual({ status: 200, told: true });
        const { body: answer } = await post('/predict', customer);
        expect(answer.label).toBe(true);
        expect(answer.probability).toBeGreaterThan(0.8);
        expect((await post('/predict', [customer, customer])).body).toEqual([answer, answer]);
        const refused = await post('/predict', { ...customer, support_calls: 'many' });
        expect(refused.status).toBe(400);
        expect(refused.body.error).toMatch(/number.*"support_calls".*"many"/);

        // What is asked while the next model is trained and takes over is answered all the same.
        let renewed = false;
        const renewal = post('/train').then((outcome) => {
          renewed = true;
          return outcome;
        });
        const statuses = new Set<number>();
        let asked = 0;
        while (!renewed || asked < 50) {
          statuses.add((await post('/predict', customer)).status);
          asked += 1;
        }
        expect((await renewal).status).toBe(200);
        expect([...statuses]).toEqual([200]);
      } finally {
        await app.close();
      }
    }, 240_000);

    test('keeps the model that there is when a training is stopped', async () => {
      const { train } = (await import('../../examples/postgres-service/train.mjs' as string)) as {
        train(options: object): Promise<unknown>;
      };
      const { default: Cursor } = (await import('pg-cursor' as string)) as {
        default: { prototype: { close(): Promise<void> } };
      };
      const path = join(folder, 'kept.safetensors');
      writeFileSync(path, 'in service');
      const stop = new AbortController();
      // The last row has been read: what comes now is the training.
      const read = vi.spyOn(Cursor.prototype, 'close').mockImplementationOnce(async () => stop.abort());
      const stopped = train({ connectionString: postgres?.connectionString, path, signal: stop.signal });
      await expect(stopped).rejects.toThrow('aborted: the model in service stays');
      expect(read).toHaveBeenCalledOnce();
      expect(readFileSync(path, 'utf8')).toBe('in service');
    }, 120_000);
  },
);
