// A link from elsewhere brings no cookie along, also where one is signed in: this page of ours asks again, and then it comes.
fetch('/api/samples', { method: 'HEAD' }).then(({ ok }) => {
  if (!ok || sessionStorage.getItem('asked') === location.pathname) return;
  // Once: whatever goes wrong, nobody is sent round and round.
  sessionStorage.setItem('asked', location.pathname);
  location.replace(location.href);
});
