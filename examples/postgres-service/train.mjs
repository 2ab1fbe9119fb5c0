import { fit } from 'dladmm';
import { rows } from './rows.mjs';

const CUSTOMERS = 'select plan, country, signed_up_at, monthly_fee, support_calls, autopay, churned from customers';

/**
 * Trains on what the table holds, and saves the model where the service looks for it. The file is replaced whole or not at all.
 *
 * @returns the report: what was learnt, and how well it does on the rows that were held out
 */
export async function train({ connectionString, path, signal }) {
  const { model, report } = await fit(rows(connectionString, CUSTOMERS), { target: 'churned', signal });
  await model.save(path);
  await model.close();
  return report;
}
