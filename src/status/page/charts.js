// Two charts of the last day: the greatest lag, and rows a minute. The numbers come once, then with the live updates.
(() => {
  const DAY = 86400;
  const places = { lag: document.getElementById('chart-lag'), rows: document.getElementById('chart-rows') };
  if (!places.lag || !window.uPlot) return;
  const since = document.getElementById('lag-since');

  const seconds = (s) =>
    s < 100
      ? `${Math.round(s)} s`
      : s < 5970
        ? `${Math.round(s / 60)} min`
        : s < 172800
          ? `${+(s / 3600).toFixed(1)} h`
          : `${Math.round(s / 86400)} d`;
  const short = (n) => new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(n);
  const color = (name) => {
    // light-dark() is not resolved in a custom property itself, only where it is used.
    const probe = document.createElement('span');
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  let samples = [];
  let charts = [];

  const data = (of) => [samples.map(({ at }) => at / 1000), ...of.map((get) => samples.map(get))];
  const series = {
    lag: [(s) => s.max_lag_seconds, (s) => s.median_lag_seconds],
    rows: [(s) => s.rows],
  };

  function chart(place, of, shows, lines) {
    const axis = { stroke: color('faint'), font: '11px system-ui, sans-serif', ticks: { show: false } };
    return new uPlot(
      {
        width: place.clientWidth,
        height: place.clientHeight,
        // The last hour's name would be cut at the edge.
        padding: [6, 14, 0, 0],
        cursor: { show: false },
        legend: { show: false },
        tzDate: (at) => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
        scales: {
          x: { range: () => [Date.now() / 1000 - DAY, Date.now() / 1000] },
          y: { range: (_, __, most) => [0, Math.max(most ?? 0, 10) * 1.08] },
        },
        axes: [
          {
            ...axis,
            size: 20,
            gap: 2,
            space: 70,
            grid: { show: false },
            values: (_, at) => at.map((t) => new Date(t * 1000).toISOString().slice(11, 16)),
          },
          {
            ...axis,
            size: 46,
            gap: 4,
            space: 34,
            grid: { stroke: color('line'), width: 1 },
            // The zero would stand on the time below it.
            values: (_, all) => all.map((each) => (each === 0 ? '' : shows(each))),
          },
        ],
        series: [{}, ...lines],
      },
      data(of),
      place,
    );
  }

  function draw() {
    for (const each of charts) each.destroy();
    charts = [];
    for (const place of Object.values(places)) place.replaceChildren();
    if (samples.length < 2) {
      for (const place of Object.values(places)) {
        const said = document.createElement('p');
        said.className = 'said';
        said.textContent = 'A point a minute; the first ones come soon.';
        place.append(said);
      }
      return;
    }
    const line = (name, more) => ({ stroke: color(name), width: 1.5, points: { show: false }, ...more });
    charts = [
      chart(places.lag, series.lag, seconds, [line('link'), line('faint', { dash: [3, 3], width: 1 })]),
      chart(places.rows, series.rows, short, [
        line('busy', { fill: color('line'), paths: uPlot.paths.stepped({ align: -1 }) }),
      ]),
    ];
    const known = samples.find(({ max_lag_seconds: lag }) => lag !== null);
    since.hidden = known === undefined || known === samples[0];
    if (!since.hidden) {
      const start = new Date(known.at).toISOString().slice(11, 16);
      since.textContent = `Lag is known since the daemon started, at ${start} UTC.`;
    }
    const worst = Math.max(...samples.map(series.lag[0]));
    places.lag.setAttribute(
      'aria-label',
      `The greatest lag of all tables over the last day: at most ${seconds(worst)}`,
    );
    const most = Math.max(...samples.map(series.rows[0]));
    places.rows.setAttribute('aria-label', `Rows exported in each minute of the last day: at most ${short(most)}`);
  }

  document.addEventListener('samples', ({ detail }) => {
    samples = [...samples, ...detail].filter(({ at }) => at > Date.now() - DAY * 1000);
    draw();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  let resized;
  window.addEventListener('resize', () => {
    clearTimeout(resized);
    resized = setTimeout(draw, 150);
  });
  async function fetchAll() {
    const answer = await fetch('/api/samples').catch(() => null);
    if (answer?.ok) ({ samples } = await answer.json());
    draw();
  }
  // While it was not live, for a hidden page too, points were missed.
  document.addEventListener('live-again', () => void fetchAll());
  void fetchAll();
})();
