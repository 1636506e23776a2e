// Package autoscaler knows which kinds of objects in a cluster scale others, and whose the
// replicas of an object are where there are some. It makes no requests: what is known of a
// cluster's autoscalers is given to it.
package autoscaler
