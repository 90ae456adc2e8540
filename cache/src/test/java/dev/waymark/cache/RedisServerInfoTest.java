package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class RedisServerInfoTest {
  private static RedisServerInfo version(String version) {
    return RedisServerInfo.parse(
        "# Server\r\nredis_version:" + version + "\r\nredis_mode:standalone\r\n");
  }

  @Test
  void versionAndPolicyAreFoundAmongTheLines() {
    RedisServerInfo server =
        RedisServerInfo.parse(
            "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:allkeys-lru\r\n"
                + "# Replication\r\nrole:master\r\n");
    assertThat(server).isEqualTo(new RedisServerInfo("7.0.15", "allkeys-lru", "master"));
    assertThat(server.mayEvictState()).isTrue();
    assertThat(RedisServerInfo.parse("").mayEvictState()).isFalse();
    assertThat(new RedisServerInfo("7.0", "volatile-lru", "master").mayEvictState()).isFalse();
  }

  @Test
  void serversThatAreTooOldAreRefusedWithTheirVersion() {
    for (String old : new String[] {"2.8.24", "5.0.14", "6.0.20", "6.1"}) {
      assertThatThrownBy(version(old)::refuseIfUnfit)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("its version is " + old + ", and 6.2 is the oldest that will do");
    }
  }

  @Test
  void newEnoughOnesAndThoseThatDoNotSayAreTaken() {
    for (String good :
        new String[] {"6.2", "6.2.14", "7.0.15", "10.0.0", "255.255.255", "", "unstable"}) {
      version(good).refuseIfUnfit();
    }
  }

  @Test
  void replicaIsRefused() {
    RedisServerInfo replica =
        RedisServerInfo.parse("redis_version:7.0.15\r\n# Replication\r\nrole:slave\r\n");
    assertThat(replica.isReplica()).isTrue();
    assertThatThrownBy(replica::refuseIfUnfit)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("it is a replica, and may lag behind its master");
  }
}
