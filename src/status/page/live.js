// Keeps a page as it is now: ages times, takes updates, filters lines. Without this script the page is as it was when it was asked for.
(() => {
  const top = document.querySelector('[data-live]');
  // The daemon's clock counts: a phone's may be minutes off.
  let skew = Number(top?.dataset.now ?? Date.now()) - Date.now();
  const now = () => Date.now() + skew;

  const age = (ms) => {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 100) return `${s} s`;
    if (s < 5970) return `${Math.round(s / 60)} min`;
    if (s < 172800) return `${(s / 3600).toFixed(1)} h`;
    return `${Math.round(s / 86400)} d`;
  };

  function tick() {
    if (document.hidden) return;
    for (const each of document.querySelectorAll('time[data-ago], time[data-in]')) {
      const { ago, in: at } = each.dataset;
      const left = Number(at) - now();
      const text = ago === undefined ? (left < 500 ? 'now' : `in ${age(left)}`) : age(now() - Number(ago));
      if (each.textContent !== text) each.textContent = text;
    }
  }
  setInterval(tick, 1000);

  function made(text) {
    const template = document.createElement('template');
    template.innerHTML = text;
    return template.content.firstElementChild;
  }

  // What a button said is not said again when the page is loaded anew.
  const here = new URL(location.href);
  if (here.searchParams.has('asked')) {
    here.searchParams.delete('asked');
    history.replaceState(null, '', here);
  }

  // The filter

  const input = document.getElementById('q');
  const lines = document.getElementById('table-lines');
  const nothing = document.getElementById('no-tables');

  function filter() {
    if (!input || !lines) return;
    const wanted = input.value.toLowerCase();
    let shown = 0;
    for (const line of lines.tBodies) {
      line.hidden = !line.dataset.find.includes(wanted);
      if (!line.hidden) shown++;
    }
    nothing.hidden = shown > 0;
    if (shown === 0 && lines.tBodies.length > 0) nothing.textContent = 'No table is called so.';
  }
  input?.addEventListener('input', filter);
  input?.form.addEventListener('submit', (event) => event.preventDefault());

  // Updates

  const said = document.getElementById('live');
  const say = (text, on) => {
    if (!said) return;
    said.textContent = text;
    said.classList.toggle('on', on);
    said.classList.toggle('off', !on);
  };
  let updatedAt = new Date(now());
  const clock = (at) => at.toISOString().slice(11, 19);
  const sayNotLive = () => say(`not live since ${clock(updatedAt)} UTC`, false);

  /** After a restart of the daemon, or when the token has changed. */
  function saySignedOut() {
    sayNotLive();
    const link = document.createElement('a');
    link.href = location.pathname;
    link.textContent = 'sign in again';
    said?.append(': ', link);
  }

  function replace(old, text) {
    const next = made(text);
    // Who stands on a link stays there.
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    old.replaceWith(next);
    if (focused !== null) next.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    // Of a run or a failure, not of each look that found nothing.
    if (next.dataset.news !== old.dataset.news) next.classList.add('fresh');
    return next;
  }

  function take(update) {
    skew = update.now - Date.now();
    if (update.title) document.title = `${update.title} · tidemark`;
    for (const [id, text] of Object.entries(update.parts)) {
      const old = document.getElementById(id);
      if (old) replace(old, text);
    }
    for (const [id, text] of Object.entries(update.lines)) {
      const old = document.getElementById(id);
      if (old) replace(old, text);
      else lines.append(made(text));
    }
    if (update.order) {
      const byId = new Map([...lines.tBodies].map((line) => [line.id, line]));
      let at = lines.tBodies[0] ?? null;
      for (const id of update.order) {
        const line = byId.get(id);
        if (!line) continue;
        byId.delete(id);
        // Moving a line takes the focus away: only those out of place are moved.
        if (line === at) at = at.nextElementSibling;
        else lines.insertBefore(line, at);
      }
      for (const gone of byId.values()) gone.remove();
    }
    filter();
    tick();
  }

  // A page of its own: what is marked there is fetched again, and replaced where it differs.
  let refetching = false;
  async function refetch() {
    if (refetching) return;
    refetching = true;
    try {
      const answer = await fetch(location.pathname, { headers: { accept: 'text/html' } });
      if (!answer.ok) return;
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
      skew = Number(next.querySelector('[data-now]')?.dataset.now ?? Date.now() + skew) - Date.now();
      for (const old of document.querySelectorAll('[data-part]')) {
        const part = next.querySelector(`[data-part="${old.dataset.part}"]`);
        if (!part || part.textContent === old.textContent) continue;
        if (old.contains(document.activeElement)) old.innerHTML = part.innerHTML;
        else old.replaceWith(document.importNode(part, true));
      }
      tick();
    } finally {
      refetching = false;
    }
  }

  let source = null;
  let retry;
  let waits = 2000;
  // The daemon says something every 15 seconds: a network or a daemon that stands still ends no connection.
  const SILENT_MS = 40000;
  let heardAt = 0;
  const hear = () => {
    heardAt = performance.now();
    updatedAt = new Date(now());
  };
  let wasLive = false;
  let seq = Number(new URLSearchParams(top?.dataset.live.split('?')[1] ?? '').get('seq') ?? 0);

  function connect() {
    clearTimeout(retry);
    if (source || !top || document.hidden) return;
    const url = new URL(top.dataset.live, location.href);
    if (url.searchParams.has('seq')) url.searchParams.set('seq', String(seq));
    source = new EventSource(url);
    heardAt = performance.now();
    source.addEventListener('open', () => {
      waits = 2000;
      hear();
      say('live', true);
      if (wasLive) document.dispatchEvent(new CustomEvent('live-again'));
      wasLive = true;
    });
    const on = (name, take) =>
      source.addEventListener(name, ({ data }) => {
        hear();
        take(data);
      });
    on('update', (data) => {
      const update = JSON.parse(data);
      seq = update.seq;
      take(update);
    });
    on('refetch', () => void refetch());
    on('beat', (data) => {
      skew = Number(data) - Date.now();
    });
    on('ping', () => {});
    on('samples', (data) => {
      document.dispatchEvent(new CustomEvent('samples', { detail: JSON.parse(data) }));
    });
    source.addEventListener('error', () => void lost());
  }

  async function lost() {
    source?.close();
    source = null;
    sayNotLive();
    // The browser itself does not try again after an answer that is no stream.
    retry = setTimeout(connect, waits);
    waits = Math.min(60000, waits * 2);
    // An EventSource does not say with which status it was refused.
    const answer = await fetch('/api/samples', { method: 'HEAD', signal: AbortSignal.timeout(5000) }).catch(() => null);
    if (answer?.status === 401 && source === null) saySignedOut();
  }

  setInterval(() => {
    if (source && performance.now() - heardAt > SILENT_MS) void lost();
  }, 5000);

  // A browser has six connections for a host: a tab that nobody sees gives its own back.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      clearTimeout(retry);
      source?.close();
      source = null;
    } else {
      tick();
      connect();
    }
  });
  window.addEventListener('pagehide', () => source?.close());
  connect();
})();
