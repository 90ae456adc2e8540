package dev.waymark.benchmarks;

import com.alicp.jetcache.CacheBuilder;
import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheConsts;
import com.alicp.jetcache.embedded.CaffeineCacheBuilder;
import com.alicp.jetcache.redis.RedisCacheBuilder;
import com.alicp.jetcache.support.JavaValueDecoder;
import com.alicp.jetcache.support.JavaValueEncoder;
import com.alicp.jetcache.template.CacheBuilderTemplate;
import com.alicp.jetcache.template.NotifyMonitorInstaller;
import java.util.Map;
import redis.clients.jedis.JedisPooled;

/** JetCache over Caffeine and Redis, as its own configuration for Spring puts it together. */
public final class JetCaches {
  private JetCaches() {}

  /**
   * Makes the caches of one process.
   *
   * @param channel on which caches with {@code syncLocal} tell other processes of changes
   */
  public static SimpleCacheManager manager(JedisPooled jedis, String channel) {
    Map<String, CacheBuilder> own =
        Map.of(
            CacheConsts.DEFAULT_AREA,
            CaffeineCacheBuilder.createCaffeineCacheBuilder().keyConvertor(Object::toString));
    Map<String, CacheBuilder> shared =
        Map.of(
            CacheConsts.DEFAULT_AREA,
            RedisCacheBuilder.createRedisCacheBuilder()
                .keyConvertor(Object::toString)
                .valueEncoder(JavaValueEncoder.INSTANCE)
                .valueDecoder(JavaValueDecoder.INSTANCE)
                .jedis(jedis)
                .broadcastChannel(channel));
    CacheBuilderTemplate template = new CacheBuilderTemplate(false, own, shared);
    // Without it nobody is told anything, whatever syncLocal says.
    template
        .getCacheMonitorInstallers()
        .add(new NotifyMonitorInstaller(area -> template.getCacheBuilder(1, area)));
    SimpleCacheManager manager = new SimpleCacheManager();
    manager.setCacheBuilderTemplate(template);
    return manager;
  }
}
