// Makes a collection of vectors, indexes, searches, and reads why a call is refused:
//
//	./run 127.0.0.1:50051
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"cipherlens/failure"
	pb "cipherlens/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const name = "from-go"

// messages lets an older grpc, as Debian's is, take messages of today's protobuf.
type messages struct{}

func (messages) Marshal(message interface{}) ([]byte, error) {
	return proto.Marshal(message.(proto.Message))
}

func (messages) Unmarshal(data []byte, message interface{}) error {
	return proto.Unmarshal(data, message.(proto.Message))
}

func (messages) Name() string { return "proto" }

func main() {
	encoding.RegisterCodec(messages{})
	connection, err := grpc.Dial(os.Args[1], grpc.WithInsecure())
	if err == nil {
		defer connection.Close()
		err = round(pb.NewRetrievalServiceClient(connection))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func round(server pb.RetrievalServiceClient) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	collection := &pb.CreateCollectionRequest{
		Name: name, Kind: pb.CollectionKind_COLLECTION_KIND_VECTOR, Dimension: 3,
	}
	if _, err := server.CreateCollection(ctx, collection); err != nil {
		return err
	}
	batch := &pb.IndexRequest{Collection: name}
	revision := uint64(time.Now().UnixMicro())
	for _, id := range []string{"red", "green", "blue"} {
		batch.Items = append(batch.Items, &pb.IndexItem{ItemId: id, Revision: revision})
	}
	batch.Content = &pb.IndexRequest_Vectors{Vectors: vectors(3, 1, 0, 0, 0, 1, 0, 0, 0, 1)}
	written, err := server.Index(ctx, batch)
	if err != nil {
		return err
	}
	query := &pb.SearchRequest{
		Collection:  name,
		Queries:     &pb.SearchRequest_Vectors{Vectors: vectors(3, .2, .9, .1)},
		K:           2,
		MinSequence: written.Sequence,
	}
	found, err := server.Search(ctx, query)
	if err != nil {
		return err
	}
	fmt.Println("hits:", strings.Join(found.Results[0].ItemIds, ", "))
	query.K = 0
	_, err = server.Search(ctx, query)
	fmt.Println("refused:", reason(err))
	_, err = server.CreateCollection(ctx, collection)
	fmt.Println("refused:", reason(err))
	_, err = server.DeleteCollection(ctx, &pb.DeleteCollectionRequest{Name: name})
	return err
}

// vectors returns rows of numbers as they are sent: little-endian float32, one row after the other.
func vectors(dimension uint32, numbers ...float32) *pb.Vectors {
	data := new(bytes.Buffer)
	binary.Write(data, binary.LittleEndian, numbers)
	return &pb.Vectors{Dimension: dimension, Data: data.Bytes()}
}

// reason returns why a call is refused: its code, and what stands beside that and its text.
func reason(err error) string {
	refused := status.Convert(err)
	words := []string{word(refused.Code())}
	for _, each := range refused.Proto().GetDetails() {
		words = append(words, wordsOf(&anypb.Any{TypeUrl: each.TypeUrl, Value: each.Value})...)
	}
	return strings.Join(words, ", ")
}

func wordsOf(detail *anypb.Any) []string {
	message, err := detail.UnmarshalNew()
	if err != nil {
		return nil
	}
	switch found := message.(type) {
	case *failure.ErrorInfo:
		return []string{found.Reason}
	case *failure.BadRequest:
		return []string{found.FieldViolations[0].Field}
	case *failure.RetryInfo:
		return []string{fmt.Sprintf("again in %d s", found.RetryDelay.Seconds)}
	}
	return nil
}

// word returns a code as the other languages write it: INVALID_ARGUMENT.
func word(code codes.Code) string {
	var written strings.Builder
	for place, letter := range code.String() {
		if place > 0 && letter >= 'A' && letter <= 'Z' {
			written.WriteByte('_')
		}
		written.WriteRune(letter)
	}
	return strings.ToUpper(written.String())
}
