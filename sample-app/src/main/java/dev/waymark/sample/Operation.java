package dev.waymark.sample;

import io.javalin.http.Handler;
import io.javalin.http.HandlerType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One thing that clients can do: how it is asked for, what comes back, and who does it. The routes
 * and the OpenAPI description are both made from it, so that neither can say what the other does
 * not. An immutable value.
 *
 * @param path behind the version's prefix, with its parameters in braces
 * @param id names it in clients that are generated
 * @param body what the body must be; null if there is none
 * @param answers by status; problems are answers as well
 */
record Operation(
    HandlerType method,
    String path,
    String id,
    String summary,
    List<Parameter> parameters,
    @Nullable Body body,
    List<Answer> answers,
    Handler handler) {
  Operation {
    parameters = List.copyOf(parameters);
    answers = List.copyOf(answers);
  }

  /** Where a parameter stands. */
  enum Place {
    PATH,
    QUERY,
    HEADER
  }

  /** One parameter; {@code schema} as JSON Schema has it. */
  record Parameter(
      Place place, String name, boolean isRequired, Map<String, ?> schema, String description) {}

  /** What a request carries: the name of a schema, and the media types that it may come as. */
  record Body(String schema, List<String> mediaTypes, String description) {
    static Body json(String schema, String description) {
      return new Body(schema, List.of("application/json"), description);
    }
  }

  /** What comes back. */
  sealed interface Answer {
    /**
     * What was asked for.
     *
     * @param schema the name of the schema of {@code data}; null for no body
     * @param isList whether {@code data} is a list of it
     */
    record Success(int status, @Nullable String schema, boolean isList, String description)
        implements Answer {}

    /** What went wrong. */
    record Failure(Problem problem) implements Answer {}
  }

  static Operation of(HandlerType method, String path, String id, String summary, Handler handler) {
    return new Operation(method, path, id, summary, List.of(), null, List.of(), handler);
  }

  Operation with(Parameter... more) {
    List<Parameter> all = new ArrayList<>(parameters);
    all.addAll(List.of(more));
    return new Operation(method, path, id, summary, all, body, answers, handler);
  }

  Operation with(Body newBody) {
    return new Operation(method, path, id, summary, parameters, newBody, answers, handler);
  }

  Operation answering(int status, @Nullable String schema, String description) {
    return answering(new Answer.Success(status, schema, false, description));
  }

  Operation answeringListOf(String schema, String description) {
    return answering(new Answer.Success(200, schema, true, description));
  }

  Operation failingWith(Problem... problems) {
    Operation operation = this;
    for (Problem problem : problems) {
      operation = operation.answering(new Answer.Failure(problem));
    }
    return operation;
  }

  private Operation answering(Answer answer) {
    List<Answer> all = new ArrayList<>(answers);
    all.add(answer);
    return new Operation(method, path, id, summary, parameters, body, all, handler);
  }
}
