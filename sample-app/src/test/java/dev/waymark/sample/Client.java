package dev.waymark.sample;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;

/** Talks to a service as any HTTP client would. Asks for explanations each time. */
final class Client {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final String url;

  Client(int port) {
    this.url = "http://127.0.0.1:" + port;
  }

  record Reply(int status, JsonNode body, HttpResponse<String> response) {
    String header(String name) {
      return response.headers().firstValue(name).orElse("");
    }

    String token() {
      return header("Waymark-Session");
    }

    String tier() {
      return header("Waymark-Tier");
    }

    Optional<String> cookie() {
      return response.headers().firstValue("Set-Cookie");
    }

    String etag() {
      return header("ETag");
    }

    String detail() {
      return body.path("detail").asText();
    }

    JsonNode data() {
      return body.path("data");
    }

    String errorCode() {
      return body.path("code").asText();
    }

    String faults() {
      StringBuilder text = new StringBuilder();
      body.path("faults")
          .forEach(
              fault ->
                  text.append(fault.path("field").asText())
                      .append(' ')
                      .append(fault.path("message").asText())
                      .append('\n'));
      return text.toString().trim();
    }
  }

  Reply get(String path, String... headers) {
    return send(request(path, headers).GET());
  }

  Reply post(String path, String json, String... headers) {
    return send(
        request(path, headers)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(json)));
  }

  /** Replaces whatever is there; a header can say otherwise. */
  Reply put(String path, String json, String... headers) {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .setHeader("If-Match", "*")
            .method("PUT", BodyPublishers.ofString(json)),
        headers);
  }

  /** Changes whatever is there; a header can say otherwise. */
  Reply patch(String path, String json, String... headers) {
    return send(
        request(path)
            .header("Content-Type", "application/merge-patch+json")
            .setHeader("If-Match", "*")
            .method("PATCH", BodyPublishers.ofString(json)),
        headers);
  }

  /** Deletes whatever is there; a header can say otherwise. */
  Reply delete(String path, String... headers) {
    return send(request(path).setHeader("If-Match", "*").DELETE(), headers);
  }

  private Reply send(HttpRequest.Builder request, String... headers) {
    for (int i = 0; i < headers.length; i += 2) {
      request.setHeader(headers[i], headers[i + 1]);
    }
    return send(request);
  }

  HttpRequest.Builder request(String path, String... headers) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url + path))
            .timeout(Duration.ofSeconds(30))
            .header("Waymark-Explain", "true");
    return headers.length == 0 ? request : request.headers(headers);
  }

  /** What is no JSON has no body to look into. */
  private static JsonNode read(HttpResponse<String> response) throws IOException {
    boolean isJson = response.headers().firstValue("Content-Type").orElse("").contains("json");
    return isJson ? JSON.readTree(response.body()) : JSON.missingNode();
  }

  Reply send(HttpRequest.Builder request) {
    try {
      HttpResponse<String> response =
          HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
      return new Reply(response.statusCode(), read(response), response);
    } catch (IOException failure) {
      throw new AssertionError("No answer from " + url, failure);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new AssertionError(interrupted);
    }
  }
}
