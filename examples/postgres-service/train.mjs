import { fit } from 'dladmm';
import { rows } from './rows.mjs';

const CUSTOMERS = 'select plan, country, signed_up_at, monthly_fee, support_calls, autopay, churned from customers';

/**
 * Trains on what the table holds, and saves the model where the service looks for it. The file is replaced whole or not at all: not by
 * a training that was stopped half-way, or went astray.
 *
 * @returns the report: what was learnt, and how well it does on the rows that were held out
 */
export async function train({ connectionString, path, signal }) {
  const result = await fit(rows(connectionString, CUSTOMERS), { target: 'churned', signal });
  const { kind } = result.status;
  if (kind !== 'completed' && kind !== 'early-stopped')
    throw new Error(`The training was ${kind}: the model in service stays`);
  const { model, report } = result; // of what was stopped while its rows came there is none
  await model.save(path);
  await model.close();
  return report;
}
