// Language, reloading while the job runs, and times in the reader's zone. Works from file://.
(function () {
  "use strict";
  var root = document.documentElement;
  var TAGS = { en: "en", zh: "zh-Hans" };

  // Storage may be forbidden on file://; the page works without it.
  function recall(store, key) {
    try { return window[store].getItem("heygemd." + key); } catch (error) { return null; }
  }
  function remember(store, key, value) {
    try { window[store].setItem("heygemd." + key, value); } catch (error) { /* forgets */ }
  }

  function preferred() {
    var wishes = navigator.languages || [navigator.language || "en"];
    for (var i = 0; i < wishes.length; i += 1) {
      if (/^zh/i.test(wishes[i])) { return "zh"; }
      if (/^en/i.test(wishes[i])) { return "en"; }
    }
    return "en";
  }

  function speak(language) {
    root.dataset.lang = language;
    root.lang = TAGS[language];
    document.querySelectorAll("[data-speak]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.speak === language));
    });
    document.querySelectorAll("time[datetime]").forEach(function (time) {
      var moment = new Date(time.dateTime);
      if (!isNaN(moment)) { time.textContent = moment.toLocaleTimeString(TAGS[language]); }
    });
  }

  var stored = recall("localStorage", "language");
  root.dataset.lang = TAGS[stored] ? stored : preferred();

  document.addEventListener("DOMContentLoaded", function () {
    speak(root.dataset.lang);
    document.querySelectorAll("[data-speak]").forEach(function (button) {
      button.addEventListener("click", function () {
        speak(button.dataset.speak);
        remember("localStorage", "language", button.dataset.speak);
      });
    });
    window.addEventListener("beforeprint", function () {
      document.querySelectorAll("details").forEach(function (fold) { fold.open = true; });
    });
    if (root.dataset.refreshS) { follow(Number(root.dataset.refreshS)); }
  });

  // ---- while the job runs -----------------------------------------------------------------------

  var page = "open:" + location.pathname;

  function restore() {
    var seen = {};
    try { seen = JSON.parse(recall("sessionStorage", page)) || {}; } catch (error) { seen = {}; }
    (seen.open || []).forEach(function (id) {
      var fold = document.getElementById(id);
      if (fold) { fold.open = true; }
    });
    var focused = seen.focus && document.getElementById(seen.focus);
    if (focused) { focused.focus({ preventScroll: true }); }
    return Boolean(seen.paused);
  }

  function keep(paused) {
    var open = Array.prototype.map.call(document.querySelectorAll("details[open][id]"),
      function (fold) { return fold.id; });
    var focus = document.activeElement ? document.activeElement.id : "";
    remember("sessionStorage", page, JSON.stringify({ open: open, focus: focus, paused: paused }));
  }

  function inUse() {
    var playing = Array.prototype.some.call(document.querySelectorAll("video"),
      function (video) { return !video.paused && !video.ended; });
    return playing || String(window.getSelection()) !== "";
  }

  function follow(refreshS) {
    var paused = restore();
    var button = document.getElementById("pause");
    function show() {
      button.setAttribute("aria-pressed", String(paused));
      root.classList.toggle("paused", paused);
    }
    button.addEventListener("click", function () {
      paused = !paused;
      keep(paused);
      show();
    });
    show();
    window.setInterval(function () {
      var age = (Date.now() - new Date(document.getElementById("updated").dateTime)) / 1000;
      root.classList.toggle("stale", age > 120);
      if (paused || inUse()) { return; }
      keep(paused);
      location.reload();
    }, 1000 * refreshS);
  }
}());
