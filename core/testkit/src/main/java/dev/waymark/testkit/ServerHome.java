package dev.waymark.testkit;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/** Where a cluster's servers run: the values of the system property {@link #PROPERTY}. */
enum ServerHome {

  /** As processes of this machine, from programs on the class path. The default. */
  EMBEDDED {
    @Override
    Backend open(Consumer<String> progress) {
      return new LocalBackend(progress);
    }
  },

  /** In containers of a Docker engine, by Testcontainers, which is on the class path or is not. */
  DOCKER {
    @Override
    Backend open(Consumer<String> progress) {
      try {
        // Found, not initialised; no other class of the kit may name one of Testcontainers before.
        Class.forName(
            "org.testcontainers.DockerClientFactory", false, ServerHome.class.getClassLoader());
      } catch (ClassNotFoundException e) {
        throw new IllegalStateException(
            "-D%s=docker needs Testcontainers, which is not on the class path. Add the dependency org.testcontainers:testcontainers with scope test, or leave the property out: the embedded servers need no Docker"
                .formatted(PROPERTY),
            e);
      }
      return new DockerBackend(progress);
    }
  };

  static final String PROPERTY = "waymark.testkit";

  abstract Backend open(Consumer<String> progress);

  /** What the system property says; embedded without it. */
  static ServerHome chosen() {
    String value = System.getProperty(PROPERTY, "");
    if (value.isBlank()) {
      return EMBEDDED;
    }
    for (ServerHome home : values()) {
      if (home.word().equals(value.strip())) {
        return home;
      }
    }
    List<String> words = Arrays.stream(values()).map(ServerHome::word).toList();
    throw new IllegalStateException("-D%s=%s is none of %s".formatted(PROPERTY, value, words));
  }

  private String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
