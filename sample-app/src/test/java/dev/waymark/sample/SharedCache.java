package dev.waymark.sample;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A shared cache as it stands before services: keeps what RFC 9111 and 9213 let it keep for the
 * time that is said, tells requests apart by {@code Vary}, and takes purges by surrogate key.
 */
final class SharedCache implements AutoCloseable {
  static final String HIT = "X-Cache";

  private static final Pattern MAX_AGE = Pattern.compile("max-age=(\\d+)");
  private static final Set<String> NOT_PASSED_ON =
      Set.of(
          "connection",
          "host",
          "content-length",
          "transfer-encoding",
          "upgrade",
          "http2-settings",
          "date",
          "expect");

  private final HttpClient http = HttpClient.newHttpClient();
  private final Map<String, List<Stored>> stored = new ConcurrentHashMap<>();
  private final AtomicInteger purges = new AtomicInteger();
  private final HttpServer server;
  private volatile int originPort;
  private volatile boolean losesPurges;

  private record Stored(
      Map<String, String> selecting,
      HttpResponse<byte[]> answer,
      Set<String> keys,
      long untilNanos) {}

  SharedCache() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", this::answer);
    server.createContext("/purge", this::purge);
    server.start();
  }

  void before(int port) {
    originPort = port;
  }

  int port() {
    return server.getAddress().getPort();
  }

  URI purgeUrl() {
    return URI.create("http://127.0.0.1:" + port() + "/purge");
  }

  void losePurges() {
    losesPurges = true;
  }

  int purges() {
    return purges.get();
  }

  int size() {
    return stored.values().stream().mapToInt(List::size).sum();
  }

  @Override
  public void close() {
    server.stop(0);
    ((java.util.concurrent.ExecutorService) server.getExecutor()).shutdownNow();
  }

  private void purge(HttpExchange exchange) throws IOException {
    if (!losesPurges) {
      Set<String> keys = Set.of(exchange.getRequestHeaders().getFirst("Surrogate-Key").split(" "));
      stored
          .values()
          .forEach(
              variants -> variants.removeIf(each -> each.keys().stream().anyMatch(keys::contains)));
      purges.incrementAndGet();
    }
    exchange.sendResponseHeaders(204, -1);
    exchange.close();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String key = exchange.getRequestURI().toString();
      boolean isGet = exchange.getRequestMethod().equals("GET");
      Stored kept = isGet ? find(key, exchange) : null;
      if (kept != null) {
        exchange.getResponseHeaders().set(HIT, "hit");
        send(exchange, kept.answer());
        return;
      }
      HttpResponse<byte[]> answer = ask(exchange);
      if (isGet && answer.statusCode() == 200) {
        keep(key, exchange, answer);
      }
      exchange.getResponseHeaders().set(HIT, "miss");
      send(exchange, answer);
    }
  }

  private Stored find(String key, HttpExchange exchange) {
    return stored.getOrDefault(key, List.of()).stream()
        .filter(each -> each.untilNanos() - System.nanoTime() > 0)
        .filter(
            each ->
                each.selecting().entrySet().stream()
                    .allMatch(field -> field.getValue().equals(sent(exchange, field.getKey()))))
        .findFirst()
        .orElse(null);
  }

  private void keep(String key, HttpExchange exchange, HttpResponse<byte[]> answer) {
    String control =
        answer
            .headers()
            .firstValue("CDN-Cache-Control")
            .or(() -> answer.headers().firstValue("Cache-Control"))
            .orElse("");
    Matcher maxAge = MAX_AGE.matcher(control);
    if (control.contains("private") || control.contains("no-") || !maxAge.find()) {
      return;
    }
    Map<String, String> selecting = new ConcurrentHashMap<>();
    answer.headers().allValues("Vary").stream()
        .flatMap(fields -> List.of(fields.split(",\\s*")).stream())
        .forEach(field -> selecting.put(field, sent(exchange, field)));
    stored
        .computeIfAbsent(key, url -> new java.util.concurrent.CopyOnWriteArrayList<>())
        .add(
            new Stored(
                selecting,
                answer,
                Set.of(answer.headers().firstValue("Surrogate-Key").orElse("").split(" ")),
                System.nanoTime() + Long.parseLong(maxAge.group(1)) * 1_000_000_000));
  }

  private static String sent(HttpExchange exchange, String field) {
    return String.join(
        ", ", Objects.requireNonNullElse(exchange.getRequestHeaders().get(field), List.of()));
  }

  private HttpResponse<byte[]> ask(HttpExchange exchange) throws IOException {
    List<String> headers = new ArrayList<>();
    exchange
        .getRequestHeaders()
        .forEach(
            (name, values) -> {
              if (!NOT_PASSED_ON.contains(name.toLowerCase(Locale.ROOT))) {
                values.forEach(value -> headers.addAll(List.of(name, value)));
              }
            });
    HttpRequest.Builder request =
        HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + originPort + exchange.getRequestURI()))
            .method(
                exchange.getRequestMethod(),
                BodyPublishers.ofByteArray(exchange.getRequestBody().readAllBytes()));
    if (!headers.isEmpty()) {
      request.headers(headers.toArray(String[]::new));
    }
    try {
      return http.send(request.build(), BodyHandlers.ofByteArray());
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
      throw new IOException(closing);
    }
  }

  private static void send(HttpExchange exchange, HttpResponse<byte[]> answer) throws IOException {
    answer
        .headers()
        .map()
        .forEach(
            (name, values) -> {
              if (!NOT_PASSED_ON.contains(name) && !name.startsWith(":")) {
                exchange.getResponseHeaders().put(name, values);
              }
            });
    byte[] body = answer.body();
    exchange.sendResponseHeaders(answer.statusCode(), body.length == 0 ? -1 : body.length);
    if (body.length > 0) {
      exchange.getResponseBody().write(body);
    }
  }
}
