package tokenizer
import ("testing";"fmt";"time";"os")
func TestZZ(t *testing.T){
  names:=vocabularies[:1]; if os.Getenv("ALL")!="" {names=vocabularies}
  for _,name:=range names {
  tok:=openVocabulary(t,name); text:=mixedSource(t,1<<20)
  e:=&encoder{}; var ids []int32
  const seg=1<<13
  var best [512]time.Duration; var pre [512]time.Duration
  for k:=0;k<60;k++{ for i:=0;(i+1)*seg<=len(text);i++ { s:=text[i*seg:(i+1)*seg]
     t0:=time.Now(); ids=e.text(ids[:0],tok,s,&tok.plain); d:=time.Since(t0); if best[i]==0||d<best[i]{best[i]=d}
     }}
  for k:=0;k<10;k++{ for i:=0;(i+1)*seg<=len(text);i++ { s:=text[i*seg:(i+1)*seg]
     t0:=time.Now(); tok.LastPreToken(s); d:=time.Since(t0); if pre[i]==0||d<pre[i]{pre[i]=d}
     }}
  var sum,ps time.Duration; n:=0; for i,d:=range best{sum+=d; ps+=pre[i]; if d>0{n++}}
  fmt.Printf("%s whole best %.1f MB/s pretok %.1f\n",name,float64(n*seg)/sum.Seconds()/1e6,float64(n*seg)/ps.Seconds()/1e6)
  }
}
