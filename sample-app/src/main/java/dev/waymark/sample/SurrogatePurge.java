package dev.waymark.sample;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;

/** Tells the shared cache in front of the service what it must not keep any longer. */
@FunctionalInterface
interface SurrogatePurge {
  /**
   * Drops every stored answer that bears one of the keys in {@code Surrogate-Key}. Doing it twice
   * does no harm.
   *
   * @throws IOException if the cache did not say that it has done so
   */
  void purge(List<String> surrogateKeys) throws IOException, InterruptedException;

  /**
   * Purges by {@code POST} with the header {@code Surrogate-Key}, as Fastly, Varnish' xkey and
   * others take it.
   *
   * @param token sent as {@code Authorization: Bearer}, unless it is empty
   */
  static SurrogatePurge by(URI url, String token) {
    HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    return keys -> {
      HttpRequest.Builder request =
          HttpRequest.newBuilder(url)
              .timeout(Duration.ofSeconds(5))
              .header("Surrogate-Key", String.join(" ", keys))
              .POST(BodyPublishers.noBody());
      if (!token.isEmpty()) {
        request.header("Authorization", "Bearer " + token);
      }
      HttpResponse<Void> response = http.send(request.build(), BodyHandlers.discarding());
      if (response.statusCode() >= 300) {
        throw new IOException("The cache answered " + response.statusCode() + " to a purge");
      }
    };
  }
}
