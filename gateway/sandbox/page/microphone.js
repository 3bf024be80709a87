// The person's microphone: asked for, measured, muted, lost. Why there is none is a sentence.

const WANTED = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true }, video: false };
const WHY = {
  NotAllowedError: "The browser does not give this page the microphone: allow it beside the address, then try again.",
  NotFoundError: "There is no microphone here.",
  NotReadableError: "The microphone does not start: another program may be using it.",
  OverconstrainedError: "The microphone cannot do what a conversation needs.",
};
const QUIETEST = -60; // dBFS of an empty meter

export class NoMicrophone extends Error {}

export class Microphone {
  // `lost(why)` is called when it goes away by itself.
  constructor(stream, lost) {
    this.stream = stream;
    [this.track] = stream.getAudioTracks();
    this.track.onended = () => lost("The microphone is gone.");
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.wave = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.resume = () => this.context.resume().catch(() => {}); // some browsers want a click before they measure
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, this.resume);
  }

  // Ask for it; NoMicrophone says why there is none.
  static async opened(lost) {
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
      throw new NoMicrophone(`Browsers give no microphone to pages of ${location.origin}: they must come by https, or from localhost.`);
    }
    try {
      return new Microphone(await navigator.mediaDevices.getUserMedia(WANTED), lost);
    } catch (error) {
      throw new NoMicrophone(WHY[error.name] ?? `The microphone does not start: ${error.message}`);
    }
  }

  get muted() {
    return !this.track.enabled;
  }

  set muted(muted) {
    this.track.enabled = !muted;
  }

  // How loud it is now, 0 to 1.
  get level() {
    if (this.muted) return 0;
    this.analyser.getFloatTimeDomainData(this.wave);
    const power = this.wave.reduce((sum, one) => sum + one * one, 0) / this.wave.length;
    return Math.min(1, Math.max(0, 1 - 10 * Math.log10(power + 1e-12) / QUIETEST));
  }

  close() {
    this.track.onended = null;
    for (const event of ["pointerdown", "keydown"]) removeEventListener(event, this.resume);
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}
