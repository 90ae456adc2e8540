package dev.waymark.cache;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.jsontype.BasicPolymorphicTypeValidator;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.io.UncheckedIOException;

/** JSON in UTF-8. */
final class JacksonCodec<V> implements Codec<V> {
  private final ObjectWriter writer;
  private final ObjectReader reader;
  private final String fingerprint;

  JacksonCodec(Class<V> type, int schemaVersion) {
    if (schemaVersion < 1) {
      throw new IllegalArgumentException("A schema version is at least 1, not " + schemaVersion);
    }
    JsonMapper mapper =
        JsonMapper.builder()
            .addModule(new JavaTimeModule())
            .addModule(new Jdk8Module())
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(DeserializationFeature.ADJUST_DATES_TO_CONTEXT_TIME_ZONE)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
            // Allows nothing. It is asked where an annotation of the application's own class lets
            // the JSON name a class; without it, whoever can write to Redis could choose one.
            .polymorphicTypeValidator(BasicPolymorphicTypeValidator.builder().build())
            .build();
    this.writer = mapper.writerFor(type);
    this.reader = mapper.readerFor(type);
    this.fingerprint = ValueFormat.shortened("json " + schemaVersion + " " + type.getName());
  }

  @Override
  public byte[] encode(V value) {
    try {
      return writer.writeValueAsBytes(value);
    } catch (JsonProcessingException unwritable) {
      throw new UncheckedIOException(unwritable);
    }
  }

  @Override
  public V decode(byte[] bytes) {
    try {
      return reader.readValue(bytes);
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  @Override
  public String fingerprint() {
    return fingerprint;
  }
}
