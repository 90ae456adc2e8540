package dev.waymark.sample;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/**
 * A headless Chromium with one page, driven over its DevTools protocol by the JDK's own WebSocket
 * client: no driver, no download. What the page writes to its console as an error, and what its
 * content security policy keeps out, is collected.
 */
final class Browser implements AutoCloseable {
  private static final List<String> NAMES =
      List.of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Process process;
  private final Path directory;
  private final AtomicInteger numbers = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
  private final List<String> complaints = new CopyOnWriteArrayList<>();
  private WebSocket socket;
  private String session = "";

  private Browser(Process process, Path directory) {
    this.process = process;
    this.directory = directory;
  }

  /** A Chromium on the path, or where the variable {@code CHROMIUM} says. */
  static Optional<Path> program() {
    String named = System.getenv("CHROMIUM");
    if (named != null && Files.isExecutable(Path.of(named))) {
      return Optional.of(Path.of(named));
    }
    String path = System.getenv("PATH");
    return Stream.of((path == null ? "" : path).split(File.pathSeparator))
        .flatMap(folder -> NAMES.stream().map(name -> Path.of(folder, name)))
        .filter(Files::isExecutable)
        .findFirst();
  }

  static Browser open(Path program) throws Exception {
    Path directory = Files.createTempDirectory("waymark-browser");
    Browser browser = null;
    try {
      Process process =
          new ProcessBuilder(
                  program.toString(),
                  "--headless",
                  "--no-sandbox",
                  "--disable-gpu",
                  "--disable-quic",
                  "--disable-dev-shm-usage",
                  "--no-first-run",
                  "--disable-background-networking",
                  "--disable-component-update",
                  "--disable-sync",
                  "--remote-debugging-port=0",
                  "--user-data-dir=" + directory,
                  "about:blank")
              .redirectErrorStream(true)
              .redirectOutput(directory.resolve("output.txt").toFile())
              .start();
      browser = new Browser(process, directory);
      browser.connect();
      return browser;
    } catch (Exception | Error failure) {
      if (browser != null) {
        browser.close();
      } else {
        deleteAll(directory);
      }
      throw failure;
    }
  }

  private void connect() throws Exception {
    Path file = directory.resolve("DevToolsActivePort");
    Awaitility.await()
        .atMost(PATIENCE)
        .until(
            () ->
                !process.isAlive() || (Files.exists(file) && Files.readAllLines(file).size() == 2));
    if (!process.isAlive()) {
      throw new IllegalStateException(
          "Chromium ended: " + Files.readString(directory.resolve("output.txt")));
    }
    List<String> lines = Files.readAllLines(file);
    socket =
        HttpClient.newHttpClient()
            .newWebSocketBuilder()
            .buildAsync(URI.create("ws://127.0.0.1:" + lines.get(0) + lines.get(1)), new Ears())
            .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    String target =
        send("Target.createTarget", args().put("url", "about:blank")).path("targetId").asText();
    session =
        send("Target.attachToTarget", args().put("targetId", target).put("flatten", true))
            .path("sessionId")
            .asText();
    send("Page.enable", args());
    send("Runtime.enable", args());
    send("Log.enable", args());
  }

  /** What it complained about so far. */
  List<String> complaints() {
    return List.copyOf(complaints);
  }

  void size(int width, int height) {
    send(
        "Emulation.setDeviceMetricsOverride",
        args()
            .put("width", width)
            .put("height", height)
            .put("deviceScaleFactor", 1)
            .put("mobile", width < 600));
  }

  void go(String url) {
    // Elsewhere first: another fragment alone would not load the page again.
    send("Page.navigate", args().put("url", "about:blank"));
    send("Page.navigate", args().put("url", url));
    Awaitility.await()
        .atMost(PATIENCE)
        .until(
            () ->
                eval("document.readyState === 'complete' && location.href !== 'about:blank'")
                    .asBoolean());
  }

  /** The value of an expression in the page. */
  JsonNode eval(String expression) {
    JsonNode result =
        send(
            "Runtime.evaluate",
            args()
                .put("expression", expression)
                .put("returnByValue", true)
                .put("awaitPromise", true));
    if (result.has("exceptionDetails")) {
      throw new AssertionError(expression + ": " + result.path("exceptionDetails"));
    }
    return result.path("result").path("value");
  }

  /** The text that a person sees; empty if nothing matches or it is hidden. */
  String text(String selector) {
    return eval("document.querySelector(%s)?.innerText ?? ''".formatted(quoted(selector))).asText();
  }

  boolean isVisible(String selector) {
    return eval("(() => { const e = document.querySelector(%s); return !!e && e.checkVisibility(); })()"
            .formatted(quoted(selector)))
        .asBoolean();
  }

  /** Presses the mouse's button in the middle of what is seen there, as a person does. */
  void click(String selector) {
    // Whatever comes above it meanwhile moves it away from under the mouse.
    long start = System.nanoTime();
    while (!clickAt(selector)) {
      if (System.nanoTime() - start > PATIENCE.toNanos()) {
        throw new AssertionError("The mouse does not reach " + selector);
      }
    }
  }

  /** Whether it was there when the mouse came down. */
  private boolean clickAt(String selector) {
    JsonNode at =
        eval(
            """
            (() => {
              const e = document.querySelector(%s);
              window.isClicked = false;
              e.addEventListener('click', () => { window.isClicked = true; }, {once: true});
              e.scrollIntoView({block: 'center', behavior: 'instant'});
              const r = e.getBoundingClientRect();
              return {x: r.x + r.width / 2, y: r.y + r.height / 2};
            })()
            """
                .formatted(quoted(selector)));
    for (String type : new String[] {"mousePressed", "mouseReleased"}) {
      send(
          "Input.dispatchMouseEvent",
          args()
              .put("type", type)
              .put("x", at.path("x").asDouble())
              .put("y", at.path("y").asDouble())
              .put("button", "left")
              .put("clickCount", 1));
    }
    return eval("window.isClicked").asBoolean();
  }

  /** Replaces what stands in a field by what is typed. */
  void type(String selector, String text) {
    eval("document.querySelector(%s).select()".formatted(quoted(selector)));
    send("Input.insertText", args().put("text", text));
  }

  /** The whole page as a PNG. */
  byte[] screenshot() {
    return Base64.getDecoder()
        .decode(
            send(
                    "Page.captureScreenshot",
                    args().put("format", "png").put("captureBeyondViewport", true))
                .path("data")
                .asText());
  }

  @Override
  public void close() {
    // Its helpers go with it.
    List<ProcessHandle> all = new ArrayList<>(process.descendants().toList());
    all.add(process.toHandle());
    all.forEach(ProcessHandle::destroyForcibly);
    all.forEach(each -> each.onExit().join());
    deleteAll(directory);
  }

  private static String quoted(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  private static ObjectNode args() {
    return JSON.createObjectNode();
  }

  private JsonNode send(String method, ObjectNode arguments) {
    int number = numbers.incrementAndGet();
    ObjectNode message = args().put("id", number).put("method", method);
    message.set("params", arguments);
    if (!session.isEmpty()) {
      message.put("sessionId", session);
    }
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    answers.put(number, answer);
    try {
      socket.sendText(message.toString(), true).get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      JsonNode all = answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      if (all.has("error")) {
        throw new AssertionError(method + ": " + all.path("error"));
      }
      return all.path("result");
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new AssertionError(interrupted);
    } catch (Exception failure) {
      throw new AssertionError(method + " was not answered", failure);
    }
  }

  private final class Ears implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
      message.append(part);
      if (last) {
        try {
          hear(JSON.readTree(message.toString()));
        } catch (IOException impossible) {
          complaints.add("DevTools: " + impossible);
        }
        message.setLength(0);
      }
      from.request(1);
      return null;
    }

    private void hear(JsonNode heard) {
      CompletableFuture<JsonNode> answer = answers.remove(heard.path("id").asInt());
      if (answer != null) {
        answer.complete(heard);
        return;
      }
      JsonNode what = heard.path("params");
      switch (heard.path("method").asText()) {
        case "Runtime.exceptionThrown" -> complaints.add(what.path("exceptionDetails").toString());
        case "Log.entryAdded" -> {
          JsonNode entry = what.path("entry");
          if (entry.path("level").asText().equals("error")) {
            complaints.add(entry.path("text").asText() + " " + entry.path("url").asText());
          }
        }
        default -> {}
      }
    }
  }

  private static void deleteAll(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
    } catch (IOException gone) {
      // Nothing to delete.
    }
  }
}
