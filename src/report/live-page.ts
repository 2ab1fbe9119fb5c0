/** What a page that follows trainings does where it is opened. */

/** Under the head of a run: how it goes, what can be asked for, its charts. */
export const FOLLOWS = `
<p role="status" class="state"></p><p class="now"></p>
<p class="asks" role="group" aria-label="Asks of the training"><button data-what="stop">Stop</button><button data-what="checkpoint" hidden>Write a checkpoint</button>
<button data-what="rate" data-rate="0">Pause</button><button data-what="rate" data-rate="1">1 iteration a second</button><button data-what="rate" data-rate="10">10 a second</button><button data-what="rate" data-rate="full">Full speed</button></p>
<div class="charts"></div>`;

/** What is made anew rests this many times longer than it took: a page must cost the training nothing, drawn or sent. */
export const SHARE = 50;
/** And so many milliseconds at most. */
const LONGEST = 5000;

/** A chart keeps its place, its table its focus; what is new replaces the rest. */
export const FOLLOW = `
(() => {
  const main = document.querySelector('main');
  const made = (html) => {
    const template = document.createElement('template');
    template.innerHTML = html;
    return template.content.firstElementChild;
  };
  const put = (charts, fresh, i) => {
    const id = fresh.firstElementChild.id;
    const old = Array.from(charts.children).find((each) => each.firstElementChild.id === id);
    if (!old) charts.insertBefore(fresh, charts.children[i] ?? null);
    else for (const part of ['script', 'figcaption', 'table']) {
      const place = old.querySelector(part);
      if (part !== 'table' || !place.parentElement.matches(':focus')) place.replaceWith(fresh.querySelector('figure > ' + part) ?? fresh.querySelector(part));
    }
    draw((old ?? fresh).querySelector('.plot'));
  };
  const tell = ({ head, state, now, ended, canCheckpoint, rate }, k) => {
    const place = document.getElementById('run' + k) ?? main.appendChild(made(head));
    const [status, line, asks] = ['.state', '.now', '.asks'].map((what) => place.querySelector(what));
    if (status.textContent !== state) status.textContent = state;
    line.textContent = now;
    asks.hidden = ended;
    asks.querySelector('[data-what=checkpoint]').hidden = !canCheckpoint;
    for (const button of asks.querySelectorAll('[data-rate]')) button.setAttribute('aria-pressed', button.dataset.rate === String(rate));
  };
  let runs = [], timer, soonest = 0;
  const over = () => runs.length > 0 && runs.every(({ ended }) => ended);
  const show = () => {
    timer = undefined;
    const began = performance.now();
    const rest = () => {
      const now = performance.now();
      soonest = now + Math.min(${LONGEST}, ${SHARE} * (now - began));
    };
    runs.forEach(({ figures }, k) => {
      const charts = document.querySelector('#run' + k + ' .charts');
      figures.forEach((html, i) => put(charts, made(html), i));
    });
    rest();
    // What the browser does with it comes after.
    requestAnimationFrame(() => setTimeout(rest));
  };
  const events = new EventSource('events');
  events.onmessage = ({ data }) => {
    runs = JSON.parse(data);
    runs.forEach(tell);
    if (over()) {
      clearTimeout(timer);
      timer = setTimeout(show);
    } else timer ??= setTimeout(show, soonest - performance.now());
  };
  events.onerror = () => { if (over()) events.close(); };
  main.addEventListener('click', ({ target }) => {
    const button = target.closest('button');
    if (!button) return;
    const { what, rate } = button.dataset;
    const run = Number(button.closest('section').id.slice(3));
    fetch('do', { method: 'POST', body: JSON.stringify({ run, what, rate: rate === 'full' ? null : Number(rate) }) });
  });
})();
`;
