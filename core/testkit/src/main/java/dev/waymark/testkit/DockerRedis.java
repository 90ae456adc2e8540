package dev.waymark.testkit;

import java.io.IOException;
import java.time.Duration;
import java.util.List;

/** A Redis in a container. It keeps nothing on disk. */
final class DockerRedis extends DockerServer {

  private static final int PORT = 6379;

  DockerRedis(DockerBackend backend, String name) {
    super(backend, name);
  }

  @Override
  String title() {
    return "Redis";
  }

  @Override
  String orderlyEnd() {
    return "TERM";
  }

  @Override
  DockerEngine.Plan plan(int port) {
    return new DockerEngine.Plan(
        name,
        backend.redisImage(),
        null,
        List.of(
            "redis-server",
            "--bind",
            "0.0.0.0",
            // Without a password Redis would talk to its own loopback only; who gets here came
            // through the machine's loopback.
            "--protected-mode",
            "no",
            "--port",
            Integer.toString(PORT),
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no"),
        new DockerEngine.Published(PORT, port),
        false);
  }

  @Override
  boolean isReady() {
    try {
      return RedisCommand.send(address(), Duration.ofSeconds(2), "PING").equals("PONG");
    } catch (IOException e) {
      return false;
    }
  }
}
