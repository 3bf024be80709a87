// What a person before the screen would notice of a session, as numbers. The same that heard.py and conversation.py notice
// for the Python clients; verdict.py judges both.

export const video = document.getElementById("video");
export const audio = document.getElementById("audio");

const RATE = 16000; // of what is sent: PCM, 16 bit, mono
const SIDE = 64; // pixels, of the copy of a frame that is compared with the one before
const QUIET = 0.01;

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export const until = async (what, within, condition) => {
  const started = performance.now();
  while (!condition()) {
    if (performance.now() - started > within) throw new Error(`not within ${within} ms: ${what}`);
    await pause(5);
  }
  return performance.now() - started;
};

const tone = (hertz, seconds) => {
  const samples = Int16Array.from({ length: RATE * seconds }, (_, index) =>
    Math.round(12000 * Math.sin((2 * Math.PI * hertz * index) / RATE)),
  );
  return new Uint8Array(samples.buffer);
};

// Frames as they are rendered: how many, how many differ from the one before, when the first came.
const watched = () => {
  const seen = { frames: 0, changed: 0, first: 0 };
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let before = null;
  const look = () => {
    seen.first ||= performance.now();
    context.drawImage(video, 0, 0, SIDE, SIDE);
    const pixels = context.getImageData(0, 0, SIDE, SIDE).data;
    seen.frames += 1;
    if (before?.some((value, index) => value !== pixels[index])) seen.changed += 1;
    before = pixels;
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  return seen;
};

// The sound that the audio element got: its level now, and its loudest frequency.
const listened = async () => {
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(audio.srcObject).connect(analyser);
  const last = new Float32Array(1024); // 21 ms at 48 kHz
  const bins = new Float32Array(analyser.frequencyBinCount);
  return {
    level: () => {
      analyser.getFloatTimeDomainData(last);
      return Math.sqrt(last.reduce((sum, value) => sum + value * value, 0) / last.length);
    },
    hertz: () => {
      analyser.getFloatFrequencyData(bins);
      const loudest = bins.reduce((best, value, index) => (value > bins[best] ? index : best), 0);
      return (loudest * context.sampleRate) / analyser.fftSize;
    },
    close: () => context.close(),
  };
};

const sent = (client, pcm) => {
  for (let at = 0; at < pcm.length; at += 6000) client.send(pcm.slice(at, at + 6000));
};

// `client`: words (what the server said, appended by the client's page), start(), send(bytes), immediate(bytes)?, skip(),
// close(). The result has the fields that conversation.py describes.
export const conversation = async (client) => {
  const seen = watched();
  const started = performance.now();
  await client.start();
  await until("the first frame", 10000, () => seen.first);
  const result = { connect_ms: seen.first - started, width: video.videoWidth, height: video.videoHeight };
  await until("a track of audio", 3000, () => audio.srcObject?.getAudioTracks().length);
  const ear = await listened();
  const counted = { frames: seen.frames, changed: seen.changed, at: performance.now() };
  await pause(600);
  result.idle_level = ear.level();

  const said = client.words.length;
  const since = (word) => client.words.slice(said).includes(word);
  sent(client, tone(440, 5));
  result.speak_ms = await until("SPEAK", 3000, () => since("SPEAK"));
  result.heard_ms = await until("the tone", 3000, () => ear.level() > 0.05);
  await pause(700);
  result.tone_level = ear.level();
  result.tone_hertz = ear.hertz();
  client.skip();
  result.skip_ms = await until("silence after SKIP", 3000, () => ear.level() < QUIET);
  await until("SILENT after SKIP", 3000, () => since("SILENT"));

  const again = client.words.length;
  const next = tone(880, 0.7);
  if (client.immediate) client.immediate(next);
  else sent(client, next);
  await until("the second tone", 3000, () => ear.level() > 0.05);
  await pause(350);
  result.next_hertz = ear.hertz();
  await until("SILENT when the buffer is played out", 4000, () => client.words.slice(again).includes("SILENT"));
  const seconds = (performance.now() - counted.at) / 1000;
  result.frames = seen.frames - counted.frames;
  result.changed = seen.changed - counted.changed;
  result.per_second = result.frames / seconds;
  ear.close();
  await client.close();
  return result;
};

// A session that may last a second: connect_ms again, and how long until the client says that it is over.
export const ended = async (client) => {
  const seen = watched();
  const started = performance.now();
  await client.start();
  await until("the first frame", 10000, () => seen.first);
  await until("the end of a session of one second", 8000, () => client.words.includes("STOP"));
  return { connect_ms: seen.first - started, stop_ms: performance.now() - seen.first };
};
