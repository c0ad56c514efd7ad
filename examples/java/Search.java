// Makes a collection of vectors, indexes, searches, and reads why a call is refused:
//
//   ./run 127.0.0.1:50051

import cipherlens.v1.CollectionOuterClass.CollectionKind;
import cipherlens.v1.Representation.Vectors;
import cipherlens.v1.RetrievalServiceGrpc;
import cipherlens.v1.RetrievalServiceGrpc.RetrievalServiceBlockingStub;
import cipherlens.v1.RetrievalServiceOuterClass.CreateCollectionRequest;
import cipherlens.v1.RetrievalServiceOuterClass.DeleteCollectionRequest;
import cipherlens.v1.RetrievalServiceOuterClass.IndexItem;
import cipherlens.v1.RetrievalServiceOuterClass.IndexRequest;
import cipherlens.v1.RetrievalServiceOuterClass.SearchRequest;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import failure.BadRequest;
import failure.ErrorInfo;
import failure.RetryInfo;
import failure.Status;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A first search from Java. */
public final class Search {
  private static final String NAME = "from-java";
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  public static void main(String[] arguments) throws InvalidProtocolBufferException {
    ManagedChannel channel = ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    try {
      round(RetrievalServiceGrpc.newBlockingStub(channel));
    } finally {
      channel.shutdown();
    }
  }

  private static void round(RetrievalServiceBlockingStub server)
      throws InvalidProtocolBufferException {
    var collection =
        CreateCollectionRequest.newBuilder()
            .setName(NAME)
            .setKind(CollectionKind.COLLECTION_KIND_VECTOR)
            .setDimension(3)
            .build();
    server.createCollection(collection);
    var batch = IndexRequest.newBuilder().setCollection(NAME);
    long revision = System.currentTimeMillis() * 1000; // microseconds since 1970
    for (String id : new String[] {"red", "green", "blue"}) {
      batch.addItems(IndexItem.newBuilder().setItemId(id).setRevision(revision));
    }
    batch.setVectors(vectors(3, 1, 0, 0, 0, 1, 0, 0, 0, 1));
    long sequence = server.index(batch.build()).getSequence();
    var query =
        SearchRequest.newBuilder()
            .setCollection(NAME)
            .setVectors(vectors(3, .2f, .9f, .1f))
            .setK(2)
            .setMinSequence(sequence);
    var hits = server.search(query.build()).getResults(0);
    System.out.println("hits: " + String.join(", ", hits.getItemIdsList()));
    tell(() -> server.search(query.setK(0).build()));
    tell(() -> server.createCollection(collection));
    server.deleteCollection(DeleteCollectionRequest.newBuilder().setName(NAME).build());
  }

  /** Returns rows of numbers as they are sent: little-endian float32, one row after the other. */
  private static Vectors vectors(int dimension, float... numbers) {
    ByteBuffer data = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float number : numbers) {
      data.putFloat(number);
    }
    return Vectors.newBuilder()
        .setDimension(dimension)
        .setData(ByteString.copyFrom(data.flip()))
        .build();
  }

  /** Prints why a call is refused. */
  private static void tell(Runnable call) throws InvalidProtocolBufferException {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      System.out.println("refused: " + error.getStatus().getCode() + ", " + details(error));
    }
  }

  /** Returns what a failure says beside its code and text. */
  private static String details(StatusRuntimeException error)
      throws InvalidProtocolBufferException {
    byte[] trailer = error.getTrailers() == null ? null : error.getTrailers().get(DETAILS);
    var told = new StringBuilder();
    for (Any each : Status.parseFrom(trailer == null ? new byte[0] : trailer).getDetailsList()) {
      if (each.is(ErrorInfo.class)) {
        told.append(each.unpack(ErrorInfo.class).getReason());
      } else if (each.is(BadRequest.class)) {
        told.append(", ").append(each.unpack(BadRequest.class).getFieldViolations(0).getField());
      } else if (each.is(RetryInfo.class)) {
        var delay = each.unpack(RetryInfo.class).getRetryDelay();
        told.append(", again in ").append(delay.getSeconds()).append(" s");
      }
    }
    return told.toString();
  }
}
