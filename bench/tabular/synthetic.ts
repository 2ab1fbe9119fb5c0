/** Tables drawn by a seed, with columns of every kind that a database has. */
import { seededRandom } from '../harness/random.js';

/** So many rows, each by the names of the columns; the target is the last one. */
type Drawn = (count: number) => readonly Readonly<Record<string, string>>[];

const DAY = 86_400_000;
const FIRST = Date.UTC(2020, 0, 1);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Customers who leave or stay: 12 columns (an id, dates, texts of few and of many kinds, numbers as texts, nulls) and the target. */
export const churn: Drawn = (count) => {
  const { uniform, normal } = seededRandom(11);
  const pick = (kinds: number, skew: number): number => Math.floor(kinds * uniform() ** skew);
  const plans = ['basic', 'plus', 'family', 'business'];
  const devices = ['ios', 'android', 'web'];
  const cityEffect = Array.from({ length: 2000 }, () => 0.5 * normal());
  const countryEffect = Array.from({ length: 40 }, () => 0.6 * normal());
  return Array.from({ length: count }, (_, i) => {
    const since = Math.floor(uniform() * 1800);
    const idle = -Math.log(1 - uniform()) * 30;
    const plan = pick(4, 1.5);
    const country = pick(40, 2);
    const city = pick(2000, 2);
    const age = 18 + 60 * uniform() * uniform();
    const fee = [9.99, 19.99, 29.99, 79.99][plan] as number;
    const calls = Math.floor(-Math.log(1 - uniform()) * 1.5);
    const minutes = Math.exp(4 + normal());
    const autopay = uniform() < 0.6;
    const device = pick(3, 1);
    const logit =
      -1.9 +
      0.03 * idle -
      0.0006 * since +
      (countryEffect[country] as number) +
      (cityEffect[city] as number) +
      0.5 * calls * (plan === 0 ? 1.2 : 0.4) -
      0.8 * (autopay ? 1 : 0) -
      0.25 * Math.log(minutes / 55) +
      0.02 * Math.abs(age - 42) +
      (device === 2 && plan === 3 ? 0.8 : 0);
    return {
      customer_id: `C${1_000_000 + i}`,
      signed_up_at: new Date(FIRST + since * DAY).toISOString().slice(0, 10),
      last_seen_at: uniform() < 0.05 ? '' : new Date(FIRST + 2100 * DAY - idle * DAY).toISOString(),
      ...{ plan: plans[plan] as string, country: `country ${country}`, city: `city ${city}` },
      ...{ age: uniform() < 0.08 ? '' : age.toFixed(0), monthly_fee: fee.toFixed(2), support_calls: `${calls}` },
      ...{ minutes: minutes.toFixed(1), autopay: `${autopay}` },
      device: uniform() < 0.03 ? '' : (devices[device] as string),
      churned: uniform() < sigmoid(logit) ? 'yes' : 'no',
    };
  });
};

/** Two buyers in a hundred, linear effects, an id, dates and missing values: what a logistic regression is right for. */
export const rare: Drawn = (count) => {
  const { uniform, normal } = seededRandom(12);
  const channels = ['mail', 'search', 'social', 'direct', 'partner'];
  const channelEffect = [0.8, 0.3, -0.6, 0, -0.3];
  return Array.from({ length: count }, (_, i) => {
    const day = Math.floor(uniform() * 365);
    const [visits, basket, discount, age] = [normal(), normal(), normal(), normal()];
    const channel = Math.floor(uniform() * 5);
    const returning = uniform() < 0.3;
    const logit =
      -5.1 +
      0.8 * visits +
      0.7 * basket +
      0.35 * discount -
      0.3 * age +
      (channelEffect[channel] as number) +
      (returning ? 0.8 : 0) +
      0.002 * (day - 180);
    return {
      ...{ visitor_id: `${50_000_000 + i * 7}`, seen_at: new Date(FIRST + day * DAY).toISOString().slice(0, 10) },
      ...{ visits: (20 + 6 * visits).toFixed(1), basket: uniform() < 0.06 ? '' : (55 + 20 * basket).toFixed(2) },
      discount: uniform() < 0.1 ? '' : (10 + 3 * discount).toFixed(1),
      channel: channels[channel] as string,
      age: uniform() < 0.05 ? '' : (40 + 12 * age).toFixed(0),
      ...{ returning: `${returning}`, bought: uniform() < sigmoid(logit) ? '1' : '0' },
    };
  });
};

/** Claims whose sizes are spread over five orders of magnitude, one in two hundred a hundredfold: what squared errors are least right for. */
export const skewed: Drawn = (count) => {
  const { uniform, normal } = seededRandom(13);
  const vehicles = ['small', 'family', 'sports', 'van'];
  return Array.from({ length: count }, () => {
    const age = 18 + 60 * uniform();
    const vehicle = Math.floor(4 * uniform());
    const region = Math.floor(20 * uniform() ** 2);
    const power = Math.exp(4.5 + 0.5 * normal());
    const years = Math.floor(20 * uniform());
    const prior = Math.floor(-Math.log(1 - uniform()));
    const size =
      6 +
      0.8 * Math.log(power / 90) +
      0.4 * prior +
      ([0, 0.1, 0.9, 0.4][vehicle] as number) +
      0.03 * Math.abs(age - 45) -
      0.04 * years;
    const claim = Math.exp(size + 0.1 * (region % 5) + 0.6 * normal()) * (uniform() < 0.005 ? 100 : 1);
    return {
      ...{ age: age.toFixed(0), vehicle: vehicles[vehicle] as string, region: `region ${region}` },
      ...{ power: power.toFixed(0), years: `${years}`, prior_claims: `${prior}`, claim: claim.toFixed(2) },
    };
  });
};
